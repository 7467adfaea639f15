#!/bin/sh
# Builds the container image of sweeps from Debian's packages with mmdebstrap and buildah:
#
#   packaging/container/sweep.sh FOLDER IMAGE
#
# FOLDER has the programs ddpatrol and ddpatrol-sweep. The image contains them, git, ssh, a shell and the
# certificates of authorities. It runs as user 65532; without arguments it prints the help of ddpatrol-sweep.
# Building needs root or user namespaces, and a mirror of Debian: MIRROR is its URL.
set -eu

if [ $# != 2 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
folder=$1 image=$2
for name in ddpatrol ddpatrol-sweep; do
  [ -f "$folder/$name" ] || {
    echo "error: $folder has no $name: build it first" >&2
    exit 2
  }
done

work=$(mktemp -d)
container=$(buildah from scratch)
trap 'rm -rf "$work"; buildah rm "$container" >/dev/null' EXIT
mmdebstrap --quiet --variant=essential --include=git,openssh-client,ca-certificates \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  trixie "$work/system.tar" ${MIRROR:+"$MIRROR"}
# buildah unpacks it.
buildah add --quiet "$container" "$work/system.tar" / >/dev/null
mkdir -p "$work/added/usr/bin" "$work/added/etc" "$work/owned/work"
install -m 755 "$folder/ddpatrol" "$folder/ddpatrol-sweep" "$work/added/usr/bin"
# Git and ssh look up the user's name.
tar -xOf "$work/system.tar" ./etc/passwd >"$work/added/etc/passwd"
echo 'user:x:65532:65532::/work:/usr/sbin/nologin' >>"$work/added/etc/passwd"
# Mounted repositories belong to another user. Git ignores variables for this when it serves a local repository.
printf '[safe]\n\tdirectory = *\n' >"$work/added/etc/gitconfig"
buildah copy --quiet --chown 0:0 "$container" "$work/added" / >/dev/null
buildah copy --quiet --chown 65532:65532 "$container" "$work/owned" / >/dev/null
buildah config --user 65532:65532 --workingdir /work --entrypoint '["/usr/bin/ddpatrol-sweep"]' --cmd=--help \
  --label org.opencontainers.image.source=https://github.com/ddpatrol/ddpatrol \
  --label org.opencontainers.image.licenses='MIT OR Apache-2.0' "$container"
buildah commit --quiet "$container" "$image"
