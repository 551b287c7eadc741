// Package risk scores evidence. A risk model is a published, versioned document
// of factors, weights and rubrics; scoring is exact integer arithmetic, so that
// anyone with the document and the model gets the same score, bit for bit.
// Specification, section 4.
package risk
