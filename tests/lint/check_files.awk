# check_files.awk banned.txt state_allowed.txt FILE...: sizes, banned words, raw host calls, mutable globals, headers.

function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad = 1
}

# Without strings and comments; `in_comment` lives across lines.
function code_of(line,    out, i) {
	gsub(/\\./, "", line)
	gsub(/"[^"]*"/, "\"\"", line)
	out = ""
	for (;;) {
		if (in_comment) {
			i = index(line, "*/")
			if (!i)
				return out
			line = substr(line, i + 2)
			in_comment = 0
		}
		i = index(line, "/*")
		if (!i)
			break
		out = out substr(line, 1, i - 1)
		line = substr(line, i + 2)
		in_comment = 1
	}
	sub(/\/\/.*/, "", line)
	return out line
}

FILENAME == ARGV[1] { if ($0 !~ /^#/ && NF) banned[$1] = substr($0, length($1) + 2); next }
FILENAME == ARGV[2] { if ($0 !~ /^#/ && NF) state_ok[$1] = 1; next }

FNR == 1 {
	in_comment = 0
	in_body = 0
	if ($0 !~ /^\/\*/)
		complain("a file opens with what it is")
}
/^[ \t]*auto_[a-z_]+ [^=]*;/ { complain("what is cleaned up on every way out has a value from the start") }
FNR == 1001 { complain("more than 1000 lines: split it by concept") }
/TODO|FIXME|XXX/ { complain("no TODO: do it, or say in the docs what is missing") }

{ code = code_of($0) }

{
	rest = code
	while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/)) {
		word = substr(rest, RSTART, RLENGTH)
		before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
		rest = substr(rest, RSTART + RLENGTH)
		sub(/[ \t]*\($/, "", word)
		if (!(word in banned) || before == "." || before == ">")
			continue
		split(banned[word], where, " ")
		ok = 0
		for (i in where)
			if (index(FILENAME, where[i]) == 1)
				ok = 1
		if (!ok)
			complain(word "() is banned here (tests/lint/banned.txt)")
	}
}

FILENAME ~ /^sentry\/syscalls\// && code ~ /mutex_lock|priv_/ {
	complain("files in sentry/syscalls take no locks and see no insides")
}

# Mutable state at file scope: static data that is not const, and not a function.
FILENAME ~ /^(sentry|netstack|platform|gofer)\// && !/^static inline/ && code ~ /^(static )[^()]*(;|=)/ &&
code !~ /const/ && !(FILENAME in state_ok) { complain("mutable file-scope state: hang it from a struct") }

code ~ /^{/ { in_body = 1; start = FNR; has_switch = 0 }
in_body && code ~ /switch \(/ { has_switch = 1 }
in_body && code ~ /^}/ {
	in_body = 0
	n = FNR - start - 1
	if (n > (has_switch ? 100 : 60))
		complain("a function of " n " lines: split it")
}

END { exit bad }
