#!/bin/bash
# manual.sh CSANDBOX: the hand-written documents against the program: every command and option is in docs/csandbox.8, in
# its command's section, and nothing else is; counts that documents tell are those of the tables; files that
# they name exist.  Needs no root.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1")
passed=0 failed=0
same() {        # name, what should be, what is
	local d
	if d=$(diff <(sort -u <<<"$2") <(sort -u <<<"$3")); then passed=$((passed + 1)); return; fi
	failed=$((failed + 1)); echo "FAIL $1 (< program, > document):"; echo "$d"
}
options() { grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,'; }
helped() { "$bin" $1 --help | grep -E '^ +(-|--)' | cut -c1-36 | options | grep -v '^--help$'; }
# Lines of a section of the manual page that introduce options.
section() { awk -v s="$1" '/^\.S[SH]/ { on = $0 == s } on && /^\.B \\-/' docs/csandbox.8 | sed 's/\\-/-/g' | options | grep -v '^--help$'; }

commands=$("$bin" --help | awk '/^commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
same "commands" "$commands" "$(awk '/^\.SH/ { on = $2 == "COMMANDS" } on && /^\.SS/ { print $2 }' docs/csandbox.8)"
same "global options" "$(helped "")" "$(section '.SH GLOBAL OPTIONS')"
for c in $commands; do
	same "options of $c" "$(helped "$c")" "$(section ".SS $c")"
done

# "doorbell" is no call: its number is what the filter hands over to the gofer.
rows() { grep -v '^HC(doorbell' "$@" | grep -oE '^HC\([a-z_0-9]+' | sort -u | wc -l; }
same "host calls of the gofer" "$(rows syscall-tables/hostcalls-gofer.def)" "$(grep -oE '[0-9]+ host calls \(`syscall-tables/hostcalls-gofer' docs/security-model.md | grep -oE '^[0-9]+')"
same "host calls of the sentry" "$(rows syscall-tables/hostcalls-sentry.def)" "$(grep -oE '\| [0-9]+ host calls, many' docs/security-model.md | grep -oE '[0-9]+')"
same "host calls of the sentry (README)" "$(rows syscall-tables/hostcalls-sentry.def)" "$(grep -oE 'make [0-9]+ of the' README.md | grep -oE '[0-9]+')"
level() { grep -cE "^SYS\(.*[ ,]$1," syscall-tables/x86_64.def; }
same "levels of support" "$(level FULL) full, $(level PARTIAL) partial, $(level NONE) none, $(level REMOVED) that" \
	"$(grep -oE '[0-9]+ full, [0-9]+ partial, [0-9]+ none, [0-9]+ that' README.md)"

# `dir/file` and (file.md) in documents: relative to the root, to the document, or a file of that name somewhere.
missing=
for doc in README.md docs/*.md docs/decisions/*.md */README.md; do
	while read -r name; do
		[[ $name == */* ]] || continue
		case $name in /* | *'*'* | *[A-Z][A-Z]* | */ | build/* | *.o | *=* | *:*) continue ;; esac
		for try in "$name" "$(dirname "$doc")/$name" "docs/$name"; do [ -e "$try" ] && continue 2; done
		git ls-files 2>/dev/null | grep -qE "(^|/)${name//./\\.}$" || missing+="$doc: $name"$'\n'
	done < <(grep -oE '`[a-zA-Z0-9_./-]+\.(c|h|S|def|md|sh|py|list|txt)`' "$doc" | tr -d '`')
done
same "files that documents name" "" "$missing"
echo "manual: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
