# shellcheck shell=bash
# What the scripts beside this one have in common. To be sourced, not run.

set -euo pipefail
umask 022

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"

# Where tools are kept between runs. Together with Go's own caches it is all that these
# scripts use of a home folder. Exported: a script that another one runs has the same.
export ci_cache=${ci_cache:-${XDG_CACHE_HOME:-$HOME/.cache}/utho-ci}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# step NAME COMMAND [ARG…] runs a command or function in a subshell, reports how
# long it took, and ends the whole script if it failed. The subshell does not
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

# packages NAME… installs the Debian packages that are missing.
packages() {
	local missing=() p sudo=()
	for p; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed ]] || missing+=("$p")
	done
	if ((${#missing[@]} == 0)); then
		echo "all $# packages are installed"
		return
	fi
	echo "missing: ${missing[*]}"
	((EUID == 0)) || sudo=(sudo -n)
	retry "${sudo[@]}" apt-get -qq update
	retry "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -y --no-install-recommends install "${missing[@]}"
}

# tool NAME prints the path of a tool, built if the cache does not hold it. Each tool is a Go
# module of its own, .ci/tools/NAME, which pins it and everything it is built from: in one
# module together, each would be built from versions that its authors never tried. The Go
# version is a part of the key because linters read what it compiles.
tool() {
	local dir=$root/.ci/tools/$1 key path tmp
	[[ -f $dir/go.mod ]] || die "no tool is called $1"
	key=$({ go env GOVERSION && cat -- "$dir/go.mod" "$dir/go.sum"; } | sha256sum | cut -c -16)
	path=$ci_cache/tools/$1-$key/$1
	if [[ ! -x $path ]]; then
		echo "building $1" >&2
		mkdir -p "${path%/*}"
		tmp=$(mktemp -d "$ci_cache/tools/.build.XXXXXX")
		(cd -- "$dir" && GOBIN=$tmp GOFLAGS=-buildvcs=false CGO_ENABLED=0 retry go install tool) >&2
		mv -f "$tmp/$1" "$path"
		rmdir "$tmp"
	fi
	printf '%s\n' "$path"
}

# fresh_home gives everything that follows an empty home folder, in $scratch (which
# is removed when the script ends), and drops what a developer's session would lend
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
