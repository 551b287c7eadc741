# What the comments in runbooks say with: by whom, and evidence of three kinds.

by() { # by TOKEN COMMAND…
	whose=$1
	shift
	EUCORA_TOKEN_FILE='' EUCORA_TOKEN=$whose eucora "$@"
}

file() { # file DEPLOYMENT SCAN COVERAGE PLAN ROLLBACK MANUAL
	by $ERIN evidence create --deployment "$1" --artifact setup-25.00.sh --sbom bom.json --tests junit.xml \
		--scan "$2" --coverage "$3" --plan "$4" --rollback "$5" --manual-test-status "$6"
}

low() { file "$1" trivy-clean.json cobertura-good.xml plan-small.yaml rollback-validated.yaml completed; }
middling() { file "$1" trivy-two-high.json cobertura-fair.xml plan-middling.yaml rollback-untested.yaml in_progress; }
high() { file "$1" trivy-bad.json cobertura-poor.xml plan-large.yaml rollback-untested.yaml not_started; }

intend() { by $ERIN deployment create --app "$1" --app-version "$2" --ring "$3"; } # intend APP VERSION RING

pending() { by $ERIN submit "$1" || test $? = 3; } # pending EVIDENCE: submitted, and not decided

latest() { by $ERIN queue --mine --json | grep -o 'CAB-[0-9A-F]*' | head -n 1; }
