#!/usr/bin/env bash
# The demo: two registries on this machine, and images kept in sync between them. `make demo` runs it.
#
# Needs cargo, and Debian packages that it installs. Everything else is in a temporary folder that goes away at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
started=()
clean_up() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap clean_up EXIT
. demo/images.sh

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }
die() { echo "demo: $*" >&2; exit 1; }

# Starts Debian's registry on a port that the kernel chooses, and sets the variable to its address.
registry() { # VARIABLE
  local folder=$work/$1 port=''
  mkdir "$folder"
  cat >"$folder/config.yml" <<YAML
version: 0.1
log: {accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $folder/storage}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
YAML
  docker-registry serve "$folder/config.yml" >"$folder/log" 2>&1 &
  started+=($!)
  for _ in $(seq 200); do
    port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$folder/log")
    [ -z "$port" ] || break
    sleep 0.05
  done
  [ -n "$port" ] || die "the registry does not start: $(cat "$folder/log")"
  printf -v "$1" '%s' "127.0.0.1:$port"
}

same() { # REPOSITORY TAG
  local here there
  here=$(tag_digest "$source" "$1" "$2") there=$(tag_digest "$mirror" "mirror/$1" "$2")
  [ -n "$here" ] && [ "$here" = "$there" ] || die "$1:$2 is ${here:-nothing} at the source and ${there:-nothing} on the mirror"
  printf '  %-16s %s…  at the source and on the mirror\n' "$1:$2" "${here:0:19}"
}

command -v cargo >/dev/null || die "cargo is missing: install Rust with rustup (rustup.rs)"
tests/testbed/install.sh debian

say "Building imagesync (optimised less than a release, so that it takes minutes)"
cargo build --locked --quiet --profile demo
imagesync=${CARGO_TARGET_DIR:-target}/demo/imagesync

say "Two registries on this machine, and images at the first"
registry source
registry mirror
layer "$work/base" 40
for version in 1.0.0 1.1.0 1.2.0; do
  layer "$work/app" 8
  image "$source" team/shop $version "$work/base" "$work/app"
done
image "$source" base stable "$work/base"
sed "s/SOURCE/$source/; s/MIRROR/$mirror/; /^#/d" demo/imagesync.yaml | tee "$work/imagesync.yaml"
printf '\nThe source is %s, with base:stable and team/shop in the versions 1.0.0, 1.1.0 and 1.2.0.\n' "$source"

sync=("$imagesync" sync -f "$work/imagesync.yaml" --state "$work/state")

say "1. What would be done? (plan exits with 3: there are changes)"
run "$imagesync" plan -f "$work/imagesync.yaml" --state "$work/state" || [ $? = 3 ]

say "2. Do it: the two newest versions of the shop and the base. Their common layer is read once."
run "${sync[@]}"
same base stable
same team/shop 1.2.0
same team/shop 1.1.0
[ "$(tag_digest "$mirror" mirror/team/shop current)" = "$(tag_digest "$source" team/shop 1.2.0)" ] ||
  die "the alias current is not version 1.2.0"
echo "  team/shop:current is 1.2.0 on the mirror: an alias"
[ -z "$(tag_digest "$mirror" mirror/team/shop 1.0.0 || true)" ] || die "1.0.0 was not selected, and is on the mirror"
echo "  team/shop:1.0.0 was not selected, and is not on the mirror"

say "3. Again: both sides are as they should be, so nothing is copied."
run "${sync[@]}"

say "4. Somebody pushes another image as base:stable, and a version 1.3.0 of the shop."
layer "$work/base" 12
image "$source" base stable "$work/base"
layer "$work/app" 4
image "$source" team/shop 1.3.0 "$work/base" "$work/app"
run "${sync[@]}"
same base stable
same team/shop 1.3.0
[ "$(tag_digest "$mirror" mirror/team/shop current)" = "$(tag_digest "$source" team/shop 1.3.0)" ] ||
  die "the alias current has not followed to version 1.3.0"
echo "  team/shop:current has followed to 1.3.0"

say "Done. Both registries end now, and $work goes away."
