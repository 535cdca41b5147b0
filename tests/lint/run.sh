#!/bin/sh
# run.sh: every static rule of the project; each complaint is file:line: what.
cd "$(dirname "$0")/../.." || exit 1
bad=0
sources=$(git ls-files -c -o --exclude-standard 'platform/*.[chS]' 'sentry/*.[chS]' 'gofer/*.[chS]' \
	'netstack/*.[chS]' 'runsc-cli/*.[chS]' | sort -u | while read -r f; do [ -f "$f" ] && echo "$f"; done)
headers=$(printf '%s\n' "$sources" | grep '\.h$')
c_files=$(printf '%s\n' "$sources" | grep '\.[ch]$')
# shellcheck disable=SC2086
{
	echo "layers";  awk -f tests/lint/check_layers.awk tests/lint/layers.txt $c_files || bad=1
	echo "files";   awk -f tests/lint/check_files.awk tests/lint/banned.txt tests/lint/state_allowed.txt $c_files || bad=1
	echo "headers"; tests/lint/headers_alone.sh $headers || bad=1
	echo "table";   python3 syscall-tables/check.py --check || bad=1
}
for f in $(git ls-files '*.sh' .ci/run 2>/dev/null); do
	sh -n "$f" 2>/dev/null || bash -n "$f" || { echo "$f: syntax"; bad=1; }
done
# Nothing that was measured or built is committed: it would be large.
git ls-files -z 2>/dev/null | xargs -0 stat -c '%s %n' 2>/dev/null |
	awk '$1 > 200000 { print $2 ": " $1 " bytes are too many for a source"; n++ } END { exit n > 0 }' || bad=1
[ "$bad" = 0 ] && echo "lint: clean"
exit $bad
