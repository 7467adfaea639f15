#!/usr/bin/env bash
# Tests the systemd unit of ddpatrold with a systemd of its own:
#
#   scripts/systemd.sh PROGRAM
#
# Boots systemd in new namespaces, on a copy-on-write view of this system in memory, and follows docs/service.md:
# installs PROGRAM, the unit and the user, starts and reloads the service, kills it, breaks its
# settings, and stops it. Requires Linux with overlayfs, systemd, and root or sudo without a password.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case ${1-} in
  -h | --help)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
    ;;
  "")
    echo "usage: scripts/systemd.sh PROGRAM" >&2
    exit 2
    ;;
esac
if [[ $(id -u) != 0 ]]; then
  exec sudo -- "${BASH_SOURCE[0]}" "$@"
fi
program=$(realpath "$1")
work=$(mktemp -d)
name=ddpatrol-systemd-$$
trap 'cleanup' EXIT

# The folders of the cgroup hierarchies that systemd uses: version 2, or a hybrid of both.
hierarchies() {
  local folder
  for folder in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [[ -e $folder/cgroup.procs ]] && echo "$folder"
  done
}

cleanup() {
  local folder
  for folder in $(hierarchies); do
    echo $$ > "$folder/cgroup.procs"
    [[ -d $folder/$name ]] && find "$folder/$name" -depth -type d -exec rmdir {} \;
  done
  rm -rf "$work"
}

# The test itself, in the new system. Its output is the file `log`, its result the file `passed`.
cat > "$work/probe" <<'PROBE'
set -euo pipefail
fail() {
  echo "error: $*"
  systemctl --no-pager status ddpatrold || true
  exit 1
}
state() { systemctl show --property "$1" --value ddpatrold; }
check() {
  [[ $(curl -sS --noproxy '*' --max-time 10 -H @/run/header http://127.0.0.1:18200/api/v2/validate_keys) == '{"status":"ok"}' ]] ||
    fail "the token is not accepted $*"
}
systemd-sysusers
mkdir -p /etc/ddpatrold
echo DDPATROLD_LISTEN=127.0.0.1:18200 > /etc/ddpatrold/environment
systemctl start ddpatrold || fail "no start"
[[ $(stat -c %a:%U /var/lib/ddpatrold/{,admin-token,ddpatrol.db} | tr '\n' ' ') == "700:ddpatrold 600:ddpatrold 600:ddpatrold " ]] ||
  fail "the modes of the files: $(ls -la /var/lib/ddpatrold)"
(umask 077 && echo "Authorization: Bearer $(cat /var/lib/ddpatrold/admin-token)" > /run/header)
check "after the first start"
runuser -u ddpatrold -- ddpatrold admin --database sqlite:/var/lib/ddpatrold/ddpatrol.db user list | grep -q admin@localhost ||
  fail "admin user list"
grep -qx $'CapBnd:\t0000000000000000' "/proc/$(state MainPID)/status" || fail "the service has capabilities"
grep -qx $'Seccomp:\t2' "/proc/$(state MainPID)/status" || fail "the service has no filter of system calls"
systemctl reload ddpatrold || fail "no reload"
[[ $(state ActiveState) == active ]] || fail "not active after the reload"
kill -9 "$(state MainPID)"
for _ in $(seq 100); do
  [[ $(state NRestarts) == 1 && $(state ActiveState) == active ]] && break
  sleep 0.1
done
check "after a crash"
echo DDPATROLD_LISTEN=nonsense >> /etc/ddpatrold/environment
! systemctl restart ddpatrold || fail "a start with invalid settings succeeds"
sed -i '$d' /etc/ddpatrold/environment
systemctl reset-failed ddpatrold
systemctl restart ddpatrold || fail "no restart"
check "after a restart"
systemctl stop ddpatrold || fail "no stop"
[[ $(state Result) == success ]] || fail "the stop is a failure: $(state Result)"
touch "$1/passed"
PROBE

# The boot, as the first process of the new namespaces.
cat > "$work/boot" <<'BOOT'
set -euo pipefail
work=$1 program=$2 packaging=$3
mount --make-rprivate /
mount -t tmpfs tmpfs "$work/layer"
mkdir "$work"/layer/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layer/upper,workdir=$work/layer/work" "$work/layer/root"
cd "$work/layer/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
if [[ -e /sys/fs/cgroup/cgroup.procs ]]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/{systemd,unified}
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
  mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir run/test
mount --bind "$work/result" run/test
install -m 755 "$program" usr/bin/ddpatrold
install -m 644 "$packaging/ddpatrold.service" etc/systemd/system/
install -m 644 "$packaging/ddpatrold.sysusers" usr/lib/sysusers.d/ddpatrold.conf
cp "$work/probe" run/probe
# Starts nothing but the journal and the test.
cat > etc/systemd/system/probe.service <<'UNIT'
[Unit]
DefaultDependencies=no
After=systemd-journald.service
[Service]
Type=oneshot
ExecStart=/bin/bash /run/probe /run/test
StandardOutput=append:/run/test/log
StandardError=append:/run/test/log
ExecStopPost=/usr/bin/touch /run/test/ended
UNIT
cat > etc/systemd/system/probe.target <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service probe.service
AllowIsolate=yes
UNIT
# Not chroot, in which the kernel creates no user namespaces (PrivateUsers).
mkdir -p old
pivot_root . old
cd /
umount --lazy /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=probe.target --show-status=no
BOOT

mkdir "$work"/{layer,result}
for folder in $(hierarchies); do
  mkdir "$folder/$name"
  echo $$ > "$folder/$name/cgroup.procs"
done
unshare --mount --pid --fork --uts --ipc --cgroup --kill-child --mount-proc \
  bash "$work/boot" "$work" "$program" "$scripts/../packaging/systemd" > "$work/console" 2>&1 &
systemd=$!
for _ in $(seq 1200); do
  [[ -e $work/result/ended ]] && break
  kill -0 "$systemd" 2>/dev/null || break
  sleep 0.1
done
pkill -KILL -P "$systemd" || true
wait "$systemd" 2>/dev/null || true
if [[ ! -e $work/result/passed ]]; then
  cat "$work/console"
  [[ -e $work/result/log ]] && cat "$work/result/log"
  echo "error: the systemd unit failed its test" >&2
  exit 1
fi
echo "the systemd unit works with $(systemctl --version | sed -n 1p)"
