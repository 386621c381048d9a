# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# For test scripts, sourced: results as KTAP lines, which scripts/check.sh counts.
#
#   check NAME COMMAND...   ok if the command succeeds
#   same NAME WANT GOT      ok if the strings are equal; shows both if not
#   skip NAME REASON        counted and named at the end of make check
#   skip_all REASON         ends the script: nothing of it could run
#   finish                  the plan; exit 1 if anything failed
ktap_n=0 ktap_bad=0
# No test uses the machine's server or starts one by accident; those that want one give its socket.
export DRAGOMAN_SOCKET="${DRAGOMAN_SOCKET:-/nonexistent}"

ktap_result() {
	ktap_n=$((ktap_n + 1))
	[ "$1" = ok ] || ktap_bad=$((ktap_bad + 1))
	echo "$1 $ktap_n $2"
}

check() {
	ktap_name=$1
	shift
	if "$@"; then ktap_result ok "$ktap_name"; else ktap_result "not ok" "$ktap_name"; fi
}

same() {
	if [ "$2" = "$3" ]; then
		ktap_result ok "$1"
	else
		ktap_result "not ok" "$1"
		printf '# want: %s\n# got:  %s\n' "$2" "$3" | cut -c 1-400
	fi
}

skip() { ktap_result ok "$1 # SKIP $2"; }
skip_all() { echo "$1"; exit 4; }
finish() { echo "1..$ktap_n"; [ $ktap_bad = 0 ]; exit; }
