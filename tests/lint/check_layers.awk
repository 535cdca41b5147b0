# check_layers.awk layers.txt FILE...: every #include "..." goes to the file's own layer or to one it may use.
# Also: *_int.h only from its own directory and below; of netstack, outsiders see api.h only.

function layer_of(path,    d) {
	d = path
	while (sub(/\/[^\/]*$/, "", d))
		if (d in may)
			return d
	return ""
}

function dir_of(path) {
	sub(/\/[^\/]*$/, "", path)
	return path
}

function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad = 1
}

FILENAME == ARGV[1] {
	if ($0 ~ /^#/ || NF == 0)
		next
	name = $1
	sub(/:$/, "", name)
	$1 = ""
	may[name] = " " name $0 " "
	next
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	inc = part[2]
	from = layer_of(FILENAME)
	to = layer_of(inc)
	if (from == "") {
		complain("this directory has no row in layers.txt")
		next
	}
	if (to == "") {
		complain("\"" inc "\": include by the path from the top, from a directory in layers.txt")
		next
	}
	if (may[from] !~ / \* / && index(may[from], " " to " ") == 0)
		complain(from " may not include " to " (" inc ")")
	if (inc ~ /_int\.h$/ && index(FILENAME, dir_of(inc) "/") != 1)
		complain(inc " belongs to its own directory")
	if (inc ~ /^netstack\// && FILENAME !~ /^netstack\// && inc != "netstack/api.h")
		complain("outside netstack only netstack/api.h is seen, not " inc)
}

END { exit bad }
