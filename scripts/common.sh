# Sourced by the other scripts: packages, configuring, building. Every function may be called
# repeatedly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }

# Installs missing Debian packages, or lists them and exits if it lacks permission.
need_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || return 0
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      printf 'Missing packages, and no permission to install them. Please run:\n  sudo apt-get install %s\n' "${missing[*]}" >&2
      exit 1
    fi
    root=(sudo -n)
  fi
  say "installing ${missing[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

readonly kBuildPackages=(g++ cmake ninja-build pkg-config libboost-program-options-dev libhdf5-dev
  libzstd-dev libxxhash-dev nlohmann-json3-dev libpng-dev libwebp-dev libeigen3-dev)
readonly kTestPackages=(libarchive-dev libavcodec-dev libavformat-dev libboost-test-dev libopenmpi-dev libswscale-dev openmpi-bin python3-h5py python3-numpy hdf5-tools)

# configure PRESET [-DX=Y ...]: uses ccache if available.
configure() {
  local preset=$1
  shift
  local launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  say "configuring"
  cmake --preset "$preset" "${launcher[@]}" "$@" >build-configure.log 2>&1 || { cat build-configure.log >&2; rm -f build-configure.log; exit 1; }
  rm -f build-configure.log
}

# build [TARGET ...]: builds and shows progress.
build() {
  say "building ${*:-everything}"
  NINJA_STATUS='[%f/%t, %es] ' cmake --build build/release --target "${@:-all}"
}
