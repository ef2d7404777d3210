# Sourced by the scripts of this folder: packages, builds, progress.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Clones of the repository share what ccache has, wherever they lie.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true

build_packages=(
  ca-certificates cmake ninja-build g++ ccache mold pkg-config
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
  libcurl4-openssl-dev libssl-dev zlib1g-dev libzstd-dev prometheus-cpp-dev libboost1.81-dev libboost-json1.81-dev libsqlite3-dev libyaml-cpp-dev
  libcli11-dev libfmt-dev libspdlog-dev libedit-dev libgtest-dev libgmock-dev libbenchmark-dev
)

# as_root COMMAND...: with sudo where we are not root.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    command -v sudo >/dev/null || die "run this as root, or install sudo; needed: $*"
    sudo "$@"
  fi
}

# install_packages NAME...: what is missing comes from apt.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "this needs Debian 12 (apt-get); missing: ${missing[*]}"
  say "Installing ${#missing[@]} packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# unpack_package NAME: its files go to build/tools/NAME and nothing is installed: a package that starts a daemon must not do so on the machine
# of whoever runs the tests.
unpack_package() {
  local folder=$root/build/tools/$1 scratch
  [ ! -d "$folder" ] || return 0
  say "Unpacking $1 to build/tools"
  mkdir -p "$root/build/tools"
  scratch=$(mktemp -d "$root/build/tools/$1.XXXXXX")
  local fetch=(env -C "$scratch" apt-get download -qq -o APT::Sandbox::User=root "$1")
  "${fetch[@]}" 2>/dev/null || { as_root apt-get update -qq && "${fetch[@]}"; } || die "apt-get cannot fetch $1"
  dpkg-deb --extract "$scratch"/*.deb "$scratch/files"
  mv "$scratch/files" "$folder"
  rm -rf "$scratch"
}

# build PRESET TARGET...: shows ninja's progress.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" -S "$root" >"$root/build/$preset.configure.log" 2>&1 || {
    tail -n 30 "$root/build/$preset.configure.log" >&2
    die "cmake --preset $preset failed; the whole output is in build/$preset.configure.log"
  }
  (cd "$root" && cmake --build --preset "$preset" --target "$@")
}
