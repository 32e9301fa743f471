#!/bin/bash
# Builds Kubernetes 1.20.2 from the source that Debian 12 packages: nothing is asked for but Debian's packages.
# kubernetes-build.sh FOLDER: the programs go to FOLDER/bin; what the build leaves besides goes away at its end.
set -euo pipefail
folder=$(realpath -m "$1")
version=1.20.2
programs=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)
work=$folder/work
tree=$work/go/src/k8s.io/kubernetes
mkdir -p "$folder/bin" "$work/lists/partial" "$(dirname "$tree")"
cd "$work"

if [ ! -d "$tree" ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -1)
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" > sources.list
  apt=(apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$work/lists" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  "${apt[@]}" source --download-only kubernetes
  mkdir -p unpacked
  tar -xzf kubernetes_*.orig.tar.gz -C unpacked --strip-components=1
  # The copy of reflect2 in it does not work with Go 1.18 and newer; Debian has a newer one.
  rm -r unpacked/vendor/github.com/modern-go/reflect2
  cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 unpacked/vendor/github.com/modern-go/
  rm -f unpacked/vendor/github.com/modern-go/reflect2/go.mod
  mv unpacked "$tree"
fi

export PATH=/usr/lib/go-1.19/bin:$PATH GOROOT=/usr/lib/go-1.19 GOPATH=$work/go GOCACHE=$work/cache HOME=$work
export CGO_ENABLED=0 GOPROXY=off
cd "$tree"
if [ ! -f .generated ]; then
  cat > "$work/version" <<END
KUBE_GIT_COMMIT=unknown
KUBE_GIT_TREE_STATE=archive
KUBE_GIT_VERSION=v$version
KUBE_GIT_MAJOR=1
KUBE_GIT_MINOR=20
END
  KUBE_GIT_VERSION_FILE=$work/version GOFLAGS=-mod=vendor make generated_files
  touch .generated
fi

# Two packages hold the version: the servers' and the clients'.
vendored=k8s.io/kubernetes/vendor/k8s.io
flags="-s -w"
for package in component-base/version client-go/pkg/version; do
  flags+=" -X $vendored/$package.gitVersion=v$version -X $vendored/$package.gitMajor=1"
  flags+=" -X $vendored/$package.gitMinor=20"
done
export GO111MODULE=off # the build takes all from vendor/
for program in "${programs[@]}"; do
  go build -trimpath -ldflags "$flags" -o "$folder/bin/$program" "k8s.io/kubernetes/cmd/$program"
done

# What holds a pod's network open, in place of the usual image's.
mkdir -p "$work/pause"
cat > "$work/pause/main.go" <<END
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
END
go build -trimpath -ldflags "-s -w" -o "$folder/bin/pause" "$work/pause/main.go"
rm -rf "$work"
