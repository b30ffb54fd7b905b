#!/usr/bin/env bash
# Installs the programs that the tests, the demo and the benchmarks run: real registries, and the tools that others use.
#
#   install.sh [GROUP...]    debian | registries | signing | cluster | deny | fuzz       (default: debian registries signing)
#
# What is there in the right version is left alone, so a second run takes no time. Go programs go to a cache outside
# the clone: ${XDG_CACHE_HOME:-$HOME/.cache}/imagesync-testbed/bin, each beside a stamp with its version.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$here/../tools
cache=${XDG_CACHE_HOME:-$HOME/.cache}/imagesync-testbed
bin=$cache/bin

kubernetes=v1.37.2
olareg=v0.1.2
cargo_deny=0.20.2
cargo_fuzz=0.13.2

say() { echo "testbed: $*"; }
die() { echo "testbed: $*" >&2; exit 1; }

current() { [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.version" 2>/dev/null)" = "$2" ]; }

# From 1.21 on, Go fetches the version that a module asks for.
oldest_go=1.21
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
has_go() { command -v go >/dev/null && at_least $oldest_go "$(cd / && go env GOVERSION | sed 's/^go//')"; }

# The version of Go that apt would install; nothing where there is no apt.
offered_go() {
  apt-cache policy golang-go 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}\([0-9][0-9.]*\).*/\2/p' || true
}

need_go() {
  has_go && return
  local offered
  offered=$(offered_go)
  if ! command -v go >/dev/null && [ "$(id -u)" = 0 ] && [ -n "$offered" ] && at_least $oldest_go "$offered"; then
    say "installing Debian's Go $offered"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends golang-go >/dev/null
  fi
  has_go || die "Go $oldest_go or later is needed to build $1 (1.26, or what fetches that): install it from go.dev/dl, \
and put it on the PATH${offered:+; the one that Debian offers here is $offered}"
}

# Replaces the program in one step, so that a run in progress keeps the file that it has open.
put() { # NAME VERSION FILE
  mv -f "$3" "$bin/$1"
  echo "$2" >"$bin/$1.version"
}

# A program that `go install PACKAGE@VERSION` can build. Its last word is the name Go gives it.
go_program() { # NAME PACKAGE VERSION
  current "$1" "$3" && return
  need_go "$1"
  say "building $1 $3"
  local out
  out=$(mktemp -d "$cache/build.XXXXXX")
  GOBIN=$out go install "$2@$3"
  put "$1" "$3" "$(echo "$out"/*)"
  rmdir "$out"
}

# A program pinned by a module of ours, for those that cannot be installed by their name alone.
module_program() { # NAME MODULE PACKAGE VERSION [GO BUILD FLAGS]
  current "$1" "$4" && return
  need_go "$1"
  say "building $1 $4"
  local out
  out=$(mktemp -d "$cache/build.XXXXXX")
  (cd "$tools/$2" && go build -o "$out/program" "${@:5}" "$3")
  put "$1" "$4" "$out/program"
  rmdir "$out"
}

debian() {
  local missing=() package
  for package in ca-certificates docker-registry skopeo apache2-utils openssl curl; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these Debian packages are missing, and there is no apt-get: ${missing[*]}"
  [ "$(id -u)" = 0 ] || die "these Debian packages are missing; install them as root: apt-get install ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  apt-get update -qq
  # The packages' services are not wanted: the tests start their own, on ports that are free.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
    trap "rm -f $policy" EXIT
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

registries() {
  go_program registry github.com/distribution/distribution/v3/cmd/registry v3.1.2
  go_program crane github.com/google/go-containerregistry/cmd/crane v0.22.1
  go_program regsync github.com/regclient/regclient/cmd/regsync v0.11.7
  go_program oras oras.land/oras/cmd/oras v1.3.6
  go_program toxiproxy-server github.com/Shopify/toxiproxy/v2/cmd/server v2.5.0
  module_program olareg olareg github.com/olareg/olareg/cmd/olareg $olareg
}

# What signs and verifies images, and what tells whether a registry keeps to the specification.
signing() {
  go_program cosign github.com/sigstore/cosign/v3/cmd/cosign v3.1.3
  go_program conformance github.com/opencontainers/distribution-spec/conformance v0.0.0-20260831232431-97274622c111
}

cluster() {
  # helm and others parse the version that these programs say they have.
  local component=k8s.io/component-base/version minor=${kubernetes#v1.}
  local stamps="-X $component.gitVersion=$kubernetes -X $component.gitMajor=1 -X $component.gitMinor=${minor%%.*}"
  module_program etcd kubernetes go.etcd.io/etcd/server/v3 $kubernetes
  module_program kube-apiserver kubernetes k8s.io/kubernetes/cmd/kube-apiserver $kubernetes -ldflags "$stamps"
  module_program kubectl kubernetes k8s.io/kubernetes/cmd/kubectl $kubernetes -ldflags "$stamps"
}

# Built without optimisation: what takes seconds to run would take minutes to optimise.
crate() { # NAME VERSION
  current "$1" "$2" && return
  command -v cargo >/dev/null || die "cargo is needed to build $1: install Rust with rustup"
  say "building $1 $2 (some minutes)"
  local out
  out=$(mktemp -d "$cache/build.XXXXXX")
  (cd / && CARGO_TARGET_DIR=$out/target cargo install --quiet --locked --debug --no-track --root "$out" "$1@$2")
  put "$1" "$2" "$out/bin/$1"
  rm -rf "$out"
}

deny() { crate cargo-deny $cargo_deny; }

fuzz() { crate cargo-fuzz $cargo_fuzz; }

mkdir -p "$bin"
exec 9>"$cache/lock"
# Two clones may be installing at once.
flock -n 9 || { say "waiting for another installation to end"; flock 9; }

for group in "${@:-debian registries signing}"; do
  for one in $group; do
    case $one in
      debian | registries | signing | cluster | deny | fuzz) $one ;;
      *) die "there is no group $one: debian, registries, signing, cluster, deny, fuzz" ;;
    esac
  done
done
