#!/usr/bin/env bash
# All that a newcomer does, on bare Debian machines in folders, as root and as an ordinary user without sudo:
#
#   tools/test_everywhere.sh                     Debian 12, 13 and testing, each as tutor and as root: an hour
#   tools/test_everywhere.sh trixie tutor        one of them
#
# Each machine has python3, python3-venv, make and git, nothing else, and a fresh clone of the last commit. It runs
# `make grade` and `make test` twice and prints a table. Needs root and mmdebstrap; takes this machine's mirror, pip and
# npm settings. Machines are kept in $MACHINES (/var/tmp/workshop-machines) for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "This needs root: it makes machines in folders." >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "This needs mmdebstrap: apt-get install mmdebstrap" >&2; exit 1; }
project=$PWD home=${MACHINES:-/var/tmp/workshop-machines}
suites=${1:-bookworm trixie testing} users=${2:-tutor root}
mkdir -p "$home"

make_machine() { # SUITE: a bare machine in $home/SUITE, made once
  local base=$home/$1 mirror
  [ ! -e "$base/etc/ready" ] || return 0
  rm -rf "$base"
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  # A mirror may lag behind the day on which its lists expire.
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=python3,python3-venv,make,git,ca-certificates "$1" "$base" ${mirror:+"$mirror"}
  chroot "$base" useradd --create-home --shell /bin/bash tutor
  cp /etc/resolv.conf /etc/hosts "$base/etc/"
  cp /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
  for file in /etc/pip.conf /etc/xdg/pip "$HOME/.config/pip" "$HOME/.npmrc"; do
    [ -e "$file" ] || continue
    for to in "" /root /home/tutor; do
      case "$to $file" in
        " $HOME"*) ;;
        " "*) mkdir -p "$base$(dirname "$file")"; cp -r "$file" "$base$file" ;;
        *" $HOME"*) mkdir -p "$base$to$(dirname "${file#"$HOME"}")"; cp -r "$file" "$base$to${file#"$HOME"}" ;;
      esac
    done
  done
  chroot "$base" chown -R tutor:tutor /home/tutor
  touch "$base/etc/ready"
}

run_there() { # SUITE USER SCRIPT: run it in a fresh clone on a copy of the machine that is thrown away
  local run; run=$(mktemp -d "$home/run.XXXX")
  mkdir "$run/upper" "$run/work" "$run/root"
  git clone -q --no-local "$project" "$run/course"
  base=$home/$1 run=$run user=$2 script=$3 settings=$(env | grep -E '^(PIP_|UV_|SSL_|NODE_EXTRA|HTTPS?_PROXY|https?_proxy)' | grep -v FIND_LINKS | tr '\n' ' ') \
  unshare --mount --pid --fork --kill-child --propagation private bash -c '
    set -e
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$run/upper,workdir=$run/work" "$run/root"
    cd "$run/root"
    mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev
    home=/root; [ "$user" = root ] || home=/home/$user
    cp -r "$run/course" ".$home/course"
    [ "$user" = root ] || chroot . chown -R "$user:$user" "$home/course"
    mkdir -p .old; pivot_root . .old; cd /; umount -l /.old
    drop=""; [ "$user" = root ] || drop="setpriv --reuid=$user --regid=$user --init-groups --inh-caps=-all"
    cd "$home/course"
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 $settings \
      HOME="$home" USER="$user" $drop bash -c "$script"' </dev/null && code=0 || code=$?
  rm -rf "$run"
  return "$code"
}

DAY='
second() { began=$(date +%s); "$@" >>log 2>&1 && code=0 || code=$?; echo "$(( $(date +%s) - began )) $code"; }
set -- $(second make grade) $(second make grade); size=$(du -sm .venv | cut -f1)
set -- "$@" $(second make test) $(second make test)
counts=$(grep -E "^=.* (passed|failed|error)" log | tail -n 1 | tr -d "=" | sed "s/ in .*//")
echo "ROW | $1 / $3 s | $size MB | $5 / $7 s | $(du -sm .venv | cut -f1) MB | $counts |"
grep -E "^(FAILED|ERROR) |not run:" log | sort -u
ls -A /tmp | sed "s/^/left in \/tmp: /"
[ "$2$4$6$8" = 0000 ] || { tail -n 60 log; exit 1; }'

failed=0
echo "| system | user | make grade, first / again | .venv | make test, first / again | .venv | tests |"
echo "|---|---|---|---|---|---|---|"
for suite in $suites; do
  make_machine "$suite"
  for user in $users; do
    said=$(run_there "$suite" "$user" "$DAY" 2>&1) || failed=1
    echo "$said" | sed -n "s/^ROW /| $suite | $user /p"
    echo "$said" | grep -v '^ROW ' || true
  done
done
exit $failed
