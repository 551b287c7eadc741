package collect

import (
	"errors"
	"fmt"
)

// isAutoPkg knows a recipe, or an override of one, as a property list or in
// YAML. Recipes for munki, Jamf and others are one format.
func isAutoPkg(s shape) bool {
	keys := s.keys
	if s.root == "" {
		keys = s.yamlKeys()
	}
	return keys["Identifier"] && (keys["Process"] || keys["Input"] || keys["ParentRecipe"])
}

// readAutoPkg reads what a recipe is called, what it builds on and which
// processors it runs. What it makes, and in which version, is known only when
// it has run: it states none.
func readAutoPkg(f *file, into *Report) error {
	var p Package
	var minimum string
	read := readRecipeYAML
	if f.beginsWith('<') {
		read = readRecipePlist
	}
	if err := read(f, &p, &minimum); err != nil {
		return err
	}
	switch {
	case p.ID == "":
		return errors.New("the recipe has no Identifier")
	case len(p.Steps) == 0 && p.Parent == "":
		return errors.New("the recipe has no Process and no ParentRecipe: it does nothing")
	}
	into.Version = minimum
	return into.pack(p)
}

func readRecipePlist(f *file, p *Package, minimum *string) error {
	processor := false // of the step that is being read
	list := plist{value: func(path []string, text string) error {
		switch {
		case under(path, "Process", "", "Processor"):
			processor = true
			return p.step(text)
		case len(path) > 0 && path[0] == "ParentRecipeTrustInfo":
			p.TrustInfo = true
		}
		to := (*string)(nil)
		switch {
		case under(path, "Identifier"):
			to = &p.ID
		case under(path, "ParentRecipe"):
			to = &p.Parent
		case under(path, "MinimumVersion"):
			to = minimum
		case under(path, "Input", "NAME"):
			to = &p.Name
		case under(path, "Input", "pkginfo", "developer"):
			to = &p.Publisher
		default:
			return nil
		}
		*to = text
		return fieldLength(text)
	}}
	list.end = func(path []string) error {
		if !under(path, "Process", "") {
			return nil
		}
		if !processor {
			return fmt.Errorf("step %d of the recipe has no Processor", len(p.Steps)+1)
		}
		processor = false
		return nil
	}
	return list.read(f)
}

func readRecipeYAML(f *file, p *Package, minimum *string) error {
	root, err := f.yaml()
	if err != nil {
		return err
	}
	var wrong error
	m := yamlMap{root, &wrong}
	p.ID, p.Parent, *minimum = m.text("Identifier"), m.text("ParentRecipe"), m.text("MinimumVersion")
	input := m.mapping("Input")
	p.Name = input.text("NAME")
	if info := input.of("pkginfo"); info != nil {
		p.Publisher = input.mapping("pkginfo").text("developer")
	}
	p.TrustInfo = m.of("ParentRecipeTrustInfo") != nil
	for _, step := range m.list("Process") {
		if err := p.step(step.text("Processor")); err != nil {
			return err
		}
	}
	return wrong
}

// step notes a processor.
func (p *Package) step(processor string) error {
	switch {
	case processor == "":
		return fmt.Errorf("step %d of the recipe has no Processor", len(p.Steps)+1)
	case len(p.Steps) == maxSteps:
		return fmt.Errorf("the recipe has more than %d steps", maxSteps)
	}
	p.Steps = append(p.Steps, processor)
	return fieldLength(processor)
}
