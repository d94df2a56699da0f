#!/usr/bin/env bash
# Uses eflow as other projects do: installs it or takes its tree in, builds a program and runs it.
#   run.sh KIND SOURCE BUILD WORK [CMAKE_ARGUMENT...]
# KIND
#   install         installs BUILD below WORK, for static, jit_alone, quiet and headers
#   static          a program on eflow::core; the exported targets carry no flags of ours
#   jit_alone       a program on eflow::jit where Boost, JSON, pkg-config and HDF5 cannot be found
#   quiet           find_package(eflow QUIET) with a dependency missing goes on
#   headers         each public header compiles alone in C++20, all together in C++23
#   subdirectory N  the tree inside a project with -Wall -Wextra -Wpedantic -Werror and C++N
#   shared          shared libraries, moved after the install; what they export
set -euo pipefail
kind=$1
shift
standard=20
if [ "$kind" = subdirectory ]; then
  standard=$1
  shift
fi
source=$1 build=$2 work=$3
shift 3
here=$source/tests/package
prefix=$work/installed
own=$work/$kind-$standard
strict='-Wall -Wextra -Wpedantic -Werror'
fail() { echo "$*" >&2; exit 1; }
log() { "$@" >"$own.log" 2>&1 || { cat "$own.log" >&2; fail "$* failed"; }; }
mkdir -p "$work"

# consumer APP PREFIX [CMAKE_ARGUMENT...]: builds an app against an installed eflow and runs it.
consumer() {
  local app=$1 at=$2
  shift 2
  rm -rf "$own"
  log cmake -S "$here/$app" -B "$own" -G Ninja -DCMAKE_PREFIX_PATH="$at" -DCMAKE_CXX_FLAGS="$strict" "$@"
  log cmake --build "$own"
  "$own/$app"
}

case $kind in
install)
  rm -rf "$prefix"
  cmake --install "$build" --prefix "$prefix" >/dev/null
  ;;
static)
  consumer core_app "$prefix" "$@"
  if find "$prefix" -name 'eflowTargets*.cmake' -exec grep -HE ' "?-(W|f|O)|_OPTIONS' {} +; then
    fail "the exported targets carry flags"
  fi
  for private in thread_pool.hpp tensor_node.hpp; do
    [ -z "$(find "$prefix/include" -name $private)" ] || fail "the private header $private is installed"
  done
  ;;
jit_alone)
  consumer jit_app "$prefix" "$@" -DPKG_CONFIG_EXECUTABLE=/nonexistent -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
  ;;
quiet)
  rm -rf "$own"
  mkdir -p "$own"
  cat >"$own/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES CXX)
find_package(eflow QUIET)
message(STATUS "found: ${eflow_FOUND}")
find_package(eflow QUIET COMPONENTS nonsense)
message(STATUS "nonsense: ${eflow_FOUND}")
CMAKE
  log cmake -S "$own" -B "$own/build" -DCMAKE_PREFIX_PATH="$prefix" -DPKG_CONFIG_EXECUTABLE=/nonexistent "$@"
  grep -qE 'found: (FALSE|0)' "$own.log" || fail "eflow is found without what it links: $(grep found: "$own.log")"
  grep -qE 'nonsense: (FALSE|0)' "$own.log" || fail "a component that there is not is found"
  ;;
headers)
  compiler=${CXX:-c++}
  find "$prefix/include/eflow" -name '*.hpp' | sort >"$own.list"
  check='echo "#include \"$1\"" | "$0" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I "$2" -x c++ - || exit 255'
  sed "s|^$prefix/include/||" "$own.list" | xargs -P "$(nproc)" -I '{}' bash -c "$check" "$compiler" '{}' "$prefix/include"
  sed "s|^$prefix/include/\(.*\)|#include \"\1\"|" "$own.list" |
    "$compiler" -std=c++23 -fsyntax-only $strict -I "$prefix/include" -x c++ -
  echo "$(wc -l <"$own.list") headers"
  ;;
subdirectory)
  # The JIT in one standard, all of the libraries' sources in the other.
  app=jit_app
  modules='base;jit'
  if [ "$standard" != 20 ]; then
    app=core_app
    modules='base;jit;core'
  fi
  log cmake -S "$here/$app" -B "$own" -G Ninja -DEFLOW_SOURCE_DIR="$source" -DEFLOW_MODULES="$modules" \
    -DCMAKE_CXX_STANDARD="$standard" -DCMAKE_CXX_FLAGS="$strict" -DEFLOW_BUILTIN_ISAS= "$@"
  log cmake --build "$own" --target "$app"
  "$own/$app"
  [ -z "$(ls "$own/eflow" | grep -x tests)" ] || fail "a consumer gets our tests"
  ;;
shared)
  log cmake -S "$source" -B "$own" -G Ninja -DBUILD_SHARED_LIBS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
    -DEFLOW_MODULES='base;jit;core' -DEFLOW_BUILTIN_ISAS= -DEFLOW_BUILD_TESTS=OFF -DEFLOW_BUILD_EXAMPLES=OFF \
    -DEFLOW_BUILD_PROGRAM=OFF "$@"
  log cmake --build "$own"
  rm -rf "$own-prefix" "$own-moved"
  log cmake --install "$own" --prefix "$own-prefix"
  mv "$own-prefix" "$own-moved"
  library=$(find "$own-moved" -name libeflow_jit.so)
  readelf -d "$library" | grep -qE 'R(UN)?PATH.*\$ORIGIN' || fail "$library finds its neighbours nowhere"
  readelf -d "$library" | grep -qE 'SONAME.*libeflow_jit\.so\.[0-9]+\.[0-9]+' || fail "$library has no version in its name"
  foreign=$(nm -DC --defined-only "$library" | grep -c 'nlohmann' || true)
  [ "$foreign" -eq 0 ] || fail "$library exports $foreign names of nlohmann's"
  echo "$(nm -DC --defined-only "$library" | wc -l) names exported"
  own=$own-app
  consumer core_app "$(dirname "$own")/$(basename "${own%-app}")-moved" -DPKG_CONFIG_EXECUTABLE=/nonexistent \
    -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON "$@"
  ;;
*) fail "unknown kind $kind" ;;
esac
