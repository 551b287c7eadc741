package report

// controls says which parts of the report speak to which controls. The words
// are ours; what a control asks stands in its framework.
func controls() []Control {
	return []Control{
		{
			"SOC 2 (Trust Services Criteria)", "CC8.1",
			"Changes are authorised, tested, approved and documented before they are put into use.",
			[]string{"population", "decisions", "automatic", "starts", "duties"},
			"Every deployment that was started, with the approval that it had at that moment; for every approval who gave it, on which evidence and score, and why; and whether who approved had a part in the change.",
		},
		{
			"ISO/IEC 27001:2022 (Annex A)", "A.8.32",
			"Changes to information systems go through a change procedure.",
			[]string{"population", "decisions", "endings", "exceptions", "rules"},
			"That requests went through one procedure with a gate, a board and exceptions with an end; what was turned down, taken back and revoked; and when the procedure's own rules were changed, and by whom.",
		},
		{
			"NIST SP 800-53 Rev. 5", "CM-3",
			"Changes are reviewed and approved or disapproved with regard to security, decisions are documented, records are kept, and the activity is overseen.",
			[]string{"population", "decisions", "automatic", "endings", "exceptions", "duties", "tamperings"},
			"The risk score and gate behind each decision, the votes of the change board, security exceptions with their compensating controls and ends, and that the records have not been altered.",
		},
	}
}

// notShown is what an auditor must not conclude from the report.
func notShown() []string {
	return []string{
		"Changes made past this system: software put on devices by other means has no event here. Compare the deployments of the distribution tool with the starts listed.",
		"Whether the evidence was true. Packages are kept as they were filed and scored by a published model; that a test was really run is shown, at most, by files and attestations in the package.",
		"Whether two accounts belong to one person. Duties are compared by account; who holds which account is the identity provider's and the administrator's to show.",
		"What reviewers looked at, and how carefully; only what they decided, and the reasons that they gave.",
		"Whether compensating controls of exceptions, and conditions of approvals, were carried out.",
		"That operators of the machine could not have used its keys. What is in the ledger up to a checkpoint that somebody else kept cannot have been changed since; a checkpoint taken only now proves nothing of the time before.",
		"Administration on the operating system and the database, and reading: looking at something writes no event.",
	}
}
