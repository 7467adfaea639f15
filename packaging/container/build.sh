#!/bin/sh
# Builds a container image from scratch with buildah:
#
#   packaging/container/build.sh ddpatrol|ddpatrold PROGRAM IMAGE
#
# PROGRAM is a statically linked executable. The image contains it, the certificates of this machine's
# authorities, and an empty /tmp. It runs as user 65532 without a shell. Building needs neither a network nor
# root, and the result is the same for the same input.
set -eu

if [ $# != 3 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
name=$1 program=$2 image=$3
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

case $name in
  ddpatrol) port='' volume='' folder=/work ;;
  ddpatrold) port=8200 volume=/data folder=/data ;;
  *) fail "unknown program \"$name\": expected ddpatrol or ddpatrold" ;;
esac
[ -f "$certificates" ] || fail "$certificates does not exist: install the package ca-certificates"
if readelf --program-headers "$program" | grep -q INTERP; then
  fail "$program is linked dynamically: build it for a musl target, or with -C target-feature=+crt-static"
fi

container=$(buildah from scratch)
root=$(mktemp -d)
trap 'rm -rf "$root"; buildah rm "$container" >/dev/null' EXIT
mkdir -p "$root/system/usr/bin" "$root/system/etc/ssl/certs" "$root/system/tmp" "$root/owned$folder"
chmod 1777 "$root/system/tmp"
install -m 755 "$program" "$root/system/usr/bin/$name"
install -m 644 "$certificates" "$root/system/etc/ssl/certs/ca-certificates.crt"
printf 'user:x:65532:65532::%s:/\n' "$folder" >"$root/system/etc/passwd"
buildah copy --quiet --chown 0:0 "$container" "$root/system" / >/dev/null
buildah copy --quiet --chown 65532:65532 "$container" "$root/owned" / >/dev/null
buildah config --user 65532:65532 --workingdir "$folder" --entrypoint "[\"/usr/bin/$name\"]" \
  --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
  --label org.opencontainers.image.source=https://github.com/ddpatrol/ddpatrol \
  --label org.opencontainers.image.licenses='MIT OR Apache-2.0' "$container"
if [ -n "$port" ]; then
  buildah config --port "$port" --volume "$volume" --cmd serve "$container"
else
  # A mounted repository belongs to another user.
  buildah config --env GIT_CONFIG_COUNT=1 --env GIT_CONFIG_KEY_0=safe.directory --env 'GIT_CONFIG_VALUE_0=*' \
    --cmd scan "$container"
fi
buildah commit --quiet --timestamp 0 "$container" "$image"
