#!/usr/bin/env bash
# Every path of this repository that documents, scripts or comments mention must exist, and so must the target and the
# heading of every relative Markdown link. Prints file:line for each one that does not, and fails.
#   tests/house/check_links.sh [ROOT]
#
# A path begins with a top-level folder; "eflow/" in front, as in an include, is ignored. It may stand for several files:
# NAME, * and ... match anything, {a,b} matches either. Without an extension it stands for a header and its source, or for a
# test. The name of a header or source without its folder, or with the last folders alone, must be that of some file.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

tree=$(mktemp)
trap 'rm -f "$tree"' EXIT
find . -type d \( -name .git -o -path ./build -o -path ./.cache \) -prune -o \( -type f -o -type d \) -print |
  sed -n 's|^\./||p' | sort >"$tree"

# Documents and scripts are read whole; of sources only comments. The checks of this folder name paths that do not exist.
sources=$(grep -E '\.(hpp|cpp|h|cmake|md|sh|py)$|(^|/)CMakeLists\.txt$|^\.ci/run$' "$tree" | grep -v '^tests/house/')

# shellcheck disable=SC2086 # names have no blanks
LC_ALL=C awk -v tree="$tree" '
function fail(what) {
  printf "%s:%d: %s does not exist\n", FILENAME, FNR, what
  faults = 1
}
# Whether the repository has this path, which may be a pattern.
function exists(path,    pattern, each) {
  sub(/\/+$/, "", path)
  if (path in known || path in stems || ("tests/" path "_test.cpp") in known) return 1
  if (path !~ /[*{]|NAME|\.\.\./) return 0
  pattern = path
  gsub(/\.\.\./, "\001", pattern)
  gsub(/[.+]/, "\\\\&", pattern)
  gsub(/\*|NAME/, "[^/]*", pattern)
  gsub(/\001/, ".*", pattern)
  gsub(/\{/, "(", pattern); gsub(/,/, "|", pattern); gsub(/\}/, ")", pattern)
  for (each in known) if (each ~ "^" pattern "$") return 1
  for (each in stems) if (each ~ "^" pattern "$") return 1
  return 0
}
# The anchor that a heading gets.
function anchor_of(heading) {
  sub(/^#+ +/, "", heading)
  heading = tolower(heading)
  gsub(/[^a-z0-9 _-]/, "", heading)
  gsub(/ /, "-", heading)
  return heading
}
# Reads the headings of a document.
function read_headings(file,    line, fenced) {
  headings[file] = 1
  while ((getline line < file) > 0) {
    if (line ~ /^```/) fenced = !fenced
    if (!fenced && line ~ /^#+ /) headings[file "#" anchor_of(line)] = 1
  }
  close(file)
}
# Resolves a link relative to the folder of the document.
function resolved(target,    folder, n, parts, i, out, kept, m) {
  folder = FILENAME
  if (!sub(/\/[^\/]*$/, "", folder)) folder = ""
  n = split((folder == "" ? "" : folder "/") target, parts, "/")
  m = 0
  for (i = 1; i <= n; ++i) {
    if (parts[i] == "." || parts[i] == "") continue
    if (parts[i] == "..") { if (m > 0) --m; continue }
    kept[++m] = parts[i]
  }
  out = kept[1]
  for (i = 2; i <= m; ++i) out = out "/" kept[i]
  return out
}
function check_link(target,    file, anchor, at) {
  if (target ~ /^[a-z]+:/) return
  at = index(target, "#")
  anchor = at ? substr(target, at + 1) : ""
  file = at ? substr(target, 1, at - 1) : target
  file = file == "" ? FILENAME : resolved(file)
  if (!(file in known)) { fail(target); return }
  if (anchor == "") return
  if (!(file in headings)) read_headings(file)
  if (!((file "#" anchor) in headings)) fail("heading " target)
}
function check_links(text) {
  gsub(/`[^`]*`/, "", text)
  while (match(text, /\]\([^) ]+\)/)) {
    check_link(substr(text, RSTART + 2, RLENGTH - 3))
    text = substr(text, RSTART + RLENGTH)
  }
}
function check_paths(text,    path, before) {
  text = " " text
  while (match(text, "[^A-Za-z0-9_./$}<>-](eflow/)?(" folders ")/[A-Za-z0-9_.*{},/-]*")) {
    path = substr(text, RSTART + 1, RLENGTH - 1)
    text = substr(text, RSTART + RLENGTH)
    sub(/^eflow\//, "", path)
    if (path !~ /\{/) sub(/[,}].*$/, "", path)
    sub(/[.,]+$/, "", path)
    if (text ~ /^[<$]/) continue  # the rest of the name is a variable
    if (!exists(path)) fail(path)
  }
}
function check_names(text,    name) {
  text = " " text
  while (match(text, /[^A-Za-z0-9_.\/$}<>*-][a-z0-9_\/]+\.(hpp|cpp|h)[^a-z0-9_(]/)) {
    name = substr(text, RSTART + 1, RLENGTH - 2)
    text = substr(text, RSTART + RLENGTH - 1)
    if (!(name in names) && name !~ others && name !~ "^(eflow|" folders ")/") fail(name)
  }
}
BEGIN {
  # Files of CUDA, and of examples.
  others = "^(cuda|cublasLt|cuda_runtime_api)\\.h$|^(acme|path)/|^(kernel|main)\\.cpp$|^[a-z]\\.h$"
  while ((getline line < tree) > 0) {
    known[line] = 1
    stem = line
    if (stem ~ /\/[^\/]+\.(hpp|cpp|h)$/) { sub(/\.[a-z]+$/, "", stem); stems[stem] = 1 }
    name = line
    while (sub(/^[^\/]*\//, "", name)) names[name] = 1
    if (line !~ /[\/.]/ && line != "build") tops[line] = 1
  }
  close(tree)
  for (top in tops) folders = folders (folders == "" ? "" : "|") top
}
FILENAME ~ /\.md$/ {
  check_links($0)
  check_paths($0)
  check_names($0 " ")
  next
}
FILENAME ~ /\.(hpp|cpp|h)$/ {
  at = index($0, "//")
  if (!at) next
  code = substr($0, 1, at - 1)
  if (gsub(/"/, "", code) % 2) next  # inside a string
  check_paths(substr($0, at + 2))
  check_names(substr($0, at + 2) " ")
  next
}
FILENAME ~ /\.cmake$|CMakeLists\.txt$/ {
  at = index($0, "#")
  if (at) check_paths(substr($0, at + 1))
  next
}
{ check_paths($0) }
END { exit faults }
' $sources
