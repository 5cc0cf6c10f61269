# shellcheck shell=bash
# What the scripts beside this one have in common. To be sourced, not run.

set -euo pipefail
umask 022

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"

# Where tools are kept between runs. Together with Go's own caches it is all
# that these scripts use of a home folder.
ci_cache=${XDG_CACHE_HOME:-$HOME/.cache}/utho-ci

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# step NAME COMMAND [ARG…] runs a command or function in a subshell, says how
# long it took, and ends the whole script where it failed. The subshell does not
# stand in a condition, because there bash would ignore its set -e.
step() {
	local name=$1 start=$SECONDS rc
	shift
	printf '\n=== %s\n' "$name"
	set +e
	(
		set -e
		"$@"
	)
	rc=$?
	set -e
	if ((rc)); then
		printf -- '--- FAILED: %s (exit %d, after %d s)\n' "$name" "$rc" "$((SECONDS - start))"
		exit 1
	fi
	printf -- '--- ok: %s (%d s)\n' "$name" "$((SECONDS - start))"
}

# retry COMMAND [ARG…] runs what talks to a mirror up to three times.
retry() {
	"$@" && return
	sleep 5
	"$@" && return
	sleep 20
	"$@"
}

# tool NAME prints the path of a tool, built from the module proxy where the
# cache does not hold it. The versions of all tools are pinned here and only here;
# the Go version is a part of the key because linters read what it compiles.
tool() {
	local module version path tmp
	case $1 in
	golangci-lint) module=github.com/golangci/golangci-lint/v2/cmd/golangci-lint version=v2.15.0 ;;
	goreleaser) module=github.com/goreleaser/goreleaser/v2 version=v2.16.0 ;;
	actionlint) module=github.com/rhysd/actionlint/cmd/actionlint version=v1.7.12 ;;
	*) die "no tool is called $1" ;;
	esac
	path=$ci_cache/bin/$1-$version-$(go env GOVERSION)
	if [[ ! -x $path ]]; then
		echo "building $1 $version" >&2
		mkdir -p "$ci_cache/bin"
		tmp=$(mktemp -d "$ci_cache/bin/.build.XXXXXX")
		GOBIN=$tmp GOFLAGS='' CGO_ENABLED=0 retry go install "$module@$version" >&2
		mv -f "$tmp/$1" "$path"
		rmdir "$tmp"
	fi
	printf '%s\n' "$path"
}

# fresh_home gives everything that follows an empty home folder, in $scratch (which
# goes when the script ends), and takes away what a developer's session would lend
# to it: utho's own variables, a session bus, a display. Go keeps its caches.
fresh_home() {
	local name
	scratch=$(mktemp -d)
	trap 'rm -rf -- "$scratch"' EXIT
	for name in GOENV GOPATH GOCACHE GOMODCACHE; do
		export "$name=$(go env "$name")"
	done
	export GOLANGCI_LINT_CACHE=$ci_cache/golangci-lint
	for name in $(compgen -e); do
		case $name in
		UTHO_* | XDG_* | DBUS_SESSION_BUS_ADDRESS | DISPLAY | WAYLAND_DISPLAY) unset "$name" ;;
		esac
	done
	mkdir -m 700 "$scratch/home"
	export HOME=$scratch/home
	# The checkout may belong to somebody else, as it does in containers.
	git config --global --add safe.directory '*'
}
