#!/usr/bin/env bash
# Runs both commands of the README as a new user would: in a root of Debian 12 with nothing but the
# base system (debootstrap --variant=minbase), in a fresh clone of HEAD. Needs root and debootstrap.
#
#   scripts/check-fresh-root.sh [option...] [-- argument of scripts/test.sh...]
#
#   --root DIR       keep the root in DIR, and go on there when it exists; default: a scratch folder
#   --clone PATH     where the clone lies within the root; default: /srv/sortie
#   --user           as an ordinary user; root installs what the scripts' messages ask for, no more
#   --locale NAME    a locale such as de_DE.UTF-8, made in the root; default: none, as in a new root
#   --ccache DIR     share this ccache folder with other roots, so that the second compiles little
#   --only COMMAND   quickstart or test (repeatable); default: both, in this order
#
# Archives, proxy and certificates are those of this machine: its apt and pip reach them already.
set -euo pipefail
cd "$(dirname "$0")/.."
source_tree=$PWD

release=bookworm
root=
clone=/srv/sortie
account=root
locale=
ccache=
commands=()
test_arguments=()

fail() {
  echo "check-fresh-root: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --root | --clone | --locale | --ccache | --only) [ $# -gt 1 ] || fail "$1 takes a value" ;;&
    --root) root=$(realpath -m "$2") && shift ;;
    --clone) clone=$2 && shift ;;
    --locale) locale=$2 && shift ;;
    --ccache) ccache=$(realpath "$2") && shift ;;
    --only) commands+=("$2") && shift ;;
    --user) account=tester ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1 && exit 0 ;;
    --) shift && test_arguments=("$@") && break ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
[ ${#commands[@]} -gt 0 ] || commands=(quickstart test)
for command in "${commands[@]}"; do
  [ -x "scripts/$command.sh" ] || fail "--only takes quickstart or test, not $command"
done
[[ $clone == /?* ]] || fail "--clone takes an absolute path within the root"
[ "$(id -u)" -eq 0 ] || fail "making a root needs root"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"

# The archives of the release that this machine's apt knows: lines of `ADDRESS SUITE COMPONENT`.
archives() {
  apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' |
    awk -v release=$release '$2 == release || index($2, release "-") == 1' | sort -u
}

make_root() {
  local mirror log
  mirror=$(archives | awk -v release=$release '$2 == release {print $1; exit}')
  [ -n "$mirror" ] || fail "apt of this machine knows no archive of Debian's $release"
  echo "check-fresh-root: making a root of $release in $root"
  mkdir -p "$root"
  log=$(mktemp)
  debootstrap --variant=minbase $release "$root" "$mirror" >"$log" 2>&1 ||
    fail "debootstrap failed; see $log, which ends in: $(tail -n 1 "$log")"
  rm "$log"
  archives | sed 's/^/deb /' >"$root/etc/apt/sources.list"
  apt-config dump Acquire | grep -v IndexTargets >"$root/etc/apt/apt.conf.d/90machine"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  [ ! -e /etc/pip.conf ] || cp -L /etc/pip.conf "$root/etc/"
  # The package ca-certificates, when it comes, adds what lies there.
  local certificates=/usr/local/share/ca-certificates
  mkdir -p "$root$certificates"
  find $certificates -name '*.crt' -exec cp -t "$root$certificates" {} +
}

# inside ACCOUNT COMMAND ARGUMENT...: within the root, without this machine's environment. The name
# spaces end with the command, and so do its processes and what is mounted here.
inside() {
  local variables=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb)
  local name home=/root
  for name in $(compgen -e); do
    case $name in
      PIP_* | *_proxy | *_PROXY | SSL_CERT_* | REQUESTS_CA_BUNDLE) variables+=("$name=${!name}") ;;
    esac
  done
  [ -z "$locale" ] || variables+=("LANG=$locale" "LC_ALL=$locale")
  [ -z "$ccache" ] || variables+=(CCACHE_DIR=/var/cache/ccache "CCACHE_BASEDIR=$(dirname "$clone")"
    CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=locale CCACHE_UMASK=000)
  [ "$1" = root ] || home=/home/$1
  # shellcheck disable=SC2016 # the inner shell expands it
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 ccache=$2 account=$3
    shift 3
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    if [ -n "$ccache" ]; then
      mkdir -p "$root/var/cache/ccache"
      mount --bind "$ccache" "$root/var/cache/ccache"
    fi
    exec chroot --userspec="$account" "$root" /usr/bin/env -i "$@"' \
    inside "$root" "$ccache" "$1" "${variables[@]}" "HOME=$home" "${@:2}" </dev/null
}

install_as_root() {
  inside root LC_ALL=C DEBIAN_FRONTEND=noninteractive bash -euc 'apt-get -qq update
    apt-get -qq install -y --no-install-recommends "$@" >/dev/null' install "$@"
}

make_locale() {
  install_as_root locales
  inside root LC_ALL=C localedef -i "${locale%.*}" -f "${locale#*.}" "$locale"
}

make_clone() {
  mkdir -p "$(dirname "$root$clone")"
  git -c safe.directory='*' clone --quiet --no-hardlinks "$source_tree" "$root$clone"
  if [ $account != root ]; then
    inside root useradd --create-home --shell /bin/bash $account
    inside root chown -R $account: "$clone"
  fi
}

# run COMMAND...: in the clone. What a message tells an ordinary user to install, root installs.
run() {
  local log missing
  log=$(mktemp)
  while :; do
    # shellcheck disable=SC2016 # the inner shell expands it
    if inside $account bash -euc 'cd "$1" && shift && exec "$@"' run "$clone" "$@" 2>&1 |
      tee "$log"; then
      rm "$log"
      return 0
    fi
    missing=$(sed -n 's/^setup: missing packages; as root: .* --no-install-recommends //p' "$log")
    [ $account != root ] && [ -n "$missing" ] || return 1
    # shellcheck disable=SC2086 # words
    install_as_root $missing || return 1
  done
}

if [ -z "$root" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf --one-file-system "$scratch"' EXIT
  root=$scratch/root
fi
[ -e "$root/etc/debian_version" ] || make_root
[ -z "$locale" ] || make_locale
[ -e "$root$clone" ] || make_clone

status=0
summary=()
for command in "${commands[@]}"; do
  arguments=()
  [ "$command" != test ] || arguments=("${test_arguments[@]}")
  start=$(date +%s)
  word=passed
  run "scripts/$command.sh" "${arguments[@]}" || { word=failed && status=1; }
  summary+=("scripts/$command.sh ${arguments[*]}: $word after $(($(date +%s) - start)) s")
done
printf 'check-fresh-root: %s\n' "${summary[@]}"
exit $status
