#!/usr/bin/env bash
# Reads every include of the tree and fails, naming file and line, where
#   1. an include of ours is not the path of a file in the repository with "eflow/" in front;
#   2. a module includes another that docs/architecture.md does not let it use, or folders include each other in a circle;
#   3. a folder has more than 30 files;
#   4. a chain of includes is longer than 12;
#   5. a header that another module includes exports nothing (core/base/export.hpp);
#   6. a room (a folder of a module) has no row in the tables of docs/architecture.md, "Rooms", or includes a room of its module that
#      the row does not list;
#   7. a list of cmake/PublicHeaders.cmake names no file, is not sorted, or is not closed: what is installed includes only
#      what is installed.
#   tests/house/check.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

files=$(mktemp)
trap 'rm -f "$files"' EXIT
find . -type d \( -name .git -o -path ./build -o -path ./.cache \) -prune -o -type f -print |
  sed 's|^\./||' | LC_ALL=C sort >"$files"

sources=$(grep -E '^(benchmarks|core|examples|io|jit|kernels_src|nn|soflow|tests|trainer)/.*\.(cpp|hpp|h)$' "$files")

# shellcheck disable=SC2086 # names have no blanks
LC_ALL=C awk -v list="$files" '
function fail(what) { print what; faults = 1 }

BEGIN {
  kMostFiles = 30
  kMostDepth = 12
  # What each module may use: docs/architecture.md, "Modules". Tests, examples and benchmarks may use all of it.
  uses["kernels_src"] = ""
  uses["base"] = "kernels_src"
  uses["jit"] = "base kernels_src"
  uses["core"] = "jit base kernels_src"
  uses["nn"] = "core jit base kernels_src"
  uses["soflow"] = "nn core jit base kernels_src"
  uses["io"] = "base kernels_src"
  uses["trainer"] = "soflow io nn core jit base kernels_src"
  uses["program"] = "trainer soflow io nn core jit base kernels_src"
  for (module in uses) {
    count = split(uses[module], names, " ")
    for (i = 1; i <= count; ++i) allowed[module, names[i]] = 1
    allowed[module, module] = 1
  }
  # Made when the project is built.
  generated["eflow/version.hpp"] = 1
  generated["eflow/jit/builtin/isa_flags.inc"] = 1
  generated["eflow/jit/builtin/tables.inc"] = 1
  generated["eflow/jit/kernel/embedded_texts.inc"] = 1
  generated["eflow/tests/support/cuda/emulated_tables.inc"] = 1
  generated["eflow/tests/support/jit/tile_texts.inc"] = 1

  # Of structs, constants, templates and inline functions alone: nothing to export.
  plain["core/base/bfloat16.hpp"] = 1
  plain["core/base/export.hpp"] = 1
  plain["core/base/named_enum.hpp"] = 1
  plain["core/base/noise.hpp"] = 1
  plain["core/base/stopwatch.hpp"] = 1
  plain["core/tensor/adamw_step.hpp"] = 1
  plain["core/tensor/random_key.hpp"] = 1
  plain["jit/host/parallel.hpp"] = 1
  plain["jit/kernel/builtin_entry.hpp"] = 1
  plain["jit/kernel/grid.hpp"] = 1
  plain["jit/kernel/shape_bucket.hpp"] = 1
  plain["jit/kernel/stream.hpp"] = 1
  plain["trainer/config/clip_format.hpp"] = 1
  plain["trainer/run/say.hpp"] = 1

  # What each room may include.
  while ((getline line < "docs/architecture.md") > 0) {
    if (line ~ /^#/) in_rooms = line == "### Rooms"
    if (!in_rooms || line !~ /^\| `/) continue
    columns = split(line, cells, "|")
    room = cells[2]
    gsub(/[` ]/, "", room)
    rooms[room] = cells[columns - 1]
    gsub(/`/, " ", rooms[room])
    rooms[room] = " " rooms[room] " "
  }

  while ((getline path < list) > 0) {
    known[path] = 1
    folder = path
    if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
    if (++held[folder] == kMostFiles + 1)
      fail(folder ": more than " kMostFiles " files; make rooms in it")
  }
}

function module_of(path) {
  if (path ~ /^core\/base\//) return "base"
  if (path ~ /^trainer\/program\//) return "program"
  sub(/\/.*/, "", path)
  return path
}
function top_of(path) { sub(/\/.*/, "", path); return path }
function forbid(a, b, place) {
  if (!((a, b) in forbidden))
    fail(place ": " a " must not include " b ", or its row in docs/architecture.md must list it")
  forbidden[a, b] = 1
}
function folder_of(path) { sub(/\/[^\/]*$/, "", path); return path }

/^EFLOW_EXPORT_BEGIN/ { exports[FILENAME] = 1 }

# Includes of raw strings (texts in tests and examples) are read like all others: they obey the same rule.
/^[ \t]*#[ \t]*include[ \t]*"/ {
  path = $0
  sub(/^[^"]*"/, "", path)
  sub(/".*/, "", path)
  if (path in generated) next
  if (path !~ /^eflow\// || !(substr(path, 7) in known)) {
    fail(FILENAME ":" FNR ": \"" path "\" is not a path of the repository with eflow/ in front")
    next
  }
  path = substr(path, 7)
  from = module_of(FILENAME)
  to = module_of(path)
  if (from in uses && !((from, to) in allowed))
    fail(FILENAME ":" FNR ": " from " must not use " to " (docs/architecture.md)")
  included[FILENAME] = included[FILENAME] " " path
  if (from in uses && to != "kernels_src" && from != to) abroad[path] = FILENAME ":" FNR
  a = folder_of(FILENAME)
  b = folder_of(path)
  if (from in uses && a != b && top_of(a) == top_of(b) && b != "core/base") {
    if (!(a in rooms) || !(b in rooms)) unlisted[(a in rooms) ? b : a] = 1
    else if (rooms[a] !~ " " b " ") forbid(a, b, FILENAME ":" FNR)
  }
  if (from in uses && a != b && !((a, b) in seen)) {
    seen[a, b] = FILENAME ":" FNR
    next_folders[a] = next_folders[a] " " b
  }
}

# The longest chain of includes below a file; via[] is its first step.
function depth_of(file,    names, count, i, d, best, step) {
  if (file in depth) return depth[file]
  depth[file] = 0
  count = split(included[file], names, " ")
  for (i = 1; i <= count; ++i) {
    d = depth_of(names[i]) + 1
    if (d > best) { best = d; step = names[i] }
  }
  via[file] = step
  return depth[file] = best + 0
}

# Walks the folders; a folder that is open already closes a circle.
function walk(folder,    names, count, i) {
  state[folder] = "open"
  stack[++height] = folder
  count = split(next_folders[folder], names, " ")
  for (i = 1; i <= count; ++i) {
    if (state[names[i]] == "open") report_circle(names[i])
    else if (state[names[i]] == "") walk(names[i])
  }
  --height
  state[folder] = "done"
}
function report_circle(first,    i, text) {
  for (i = height; stack[i] != first; --i) text = " -> " stack[i] text
  text = first text " -> " first
  fail("folders in a circle: " text " (" seen[stack[height], first] ")")
}

END {
  for (file in included) {
    if (depth_of(file) <= kMostDepth) continue
    text = file
    for (step = via[file]; step != ""; step = via[step]) text = text "\n    " step
    fail("a chain of " depth[file] " includes, at most " kMostDepth " are allowed: " text)
  }
  for (folder in next_folders) if (state[folder] == "") walk(folder)
  for (folder in unlisted) fail(folder ": no row in the tables of docs/architecture.md, \"Rooms\"")

  for (header in abroad)
    if (!(header in exports) && !(header in plain))
      fail(abroad[header] ": " header " has no EFLOW_EXPORT_BEGIN, so a shared library would hide what it declares")

  # The lists of headers.
  while ((getline line < "cmake/PublicHeaders.cmake") > 0) {
    if (line ~ /^set\(/) {
      kind = line ~ /_SHARED_/ ? "shared" : "installed"
      owner = line
      sub(/^set\(EFLOW_[A-Z]*_/, "", owner)
      sub(/[ )].*/, "", owner)
      before = ""
    } else if (line ~ /^  [a-z]/) {
      header = line
      gsub(/[ )]/, "", header)
      if (!(header in known)) fail("cmake/PublicHeaders.cmake: there is no " header)
      else if (module_of(header) != owner) fail("cmake/PublicHeaders.cmake: " header " is not of " owner)
      if (header <= before) fail("cmake/PublicHeaders.cmake: " header " is not sorted")
      before = header
      offered[header] = kind
    }
  }
  for (header in offered) {
    count = split(included[header], names, " ")
    for (i = 1; i <= count; ++i) {
      if (names[i] ~ /^kernels_src\//) continue
      if (offered[header] == "installed" && offered[names[i]] != "installed")
        fail(header " is installed and includes " names[i] ", which is not")
      else if (!(names[i] in offered)) fail(header " is shared and includes " names[i] ", which is not")
    }
  }
  exit faults
}' $sources
