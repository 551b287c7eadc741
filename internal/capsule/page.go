package capsule

func (c Contents) page() ([]byte, error) { return []byte("<!doctype html>"), nil }
