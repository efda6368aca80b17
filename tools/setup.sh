#!/bin/sh
# setup.sh [build|install|demo|test|e2e] - install what building, the demo or the tests need (Debian 12); each contains the one
# before (install: only build), no argument means build. Says what it will install and installs it with apt, as root or through sudo. With
# neither it prints the one command to run and exits 1. Does nothing, silently, when all is there.
set -eu
export LC_ALL=C

build='gcc libc6-dev meson ninja-build pkg-config python3 libyaml-dev libjansson-dev libsmartcols-dev libpcap-dev node-llhttp'
install="$build binutils scdoc"
demo="$build curl"
test="$demo libcmocka-dev clang-14 libclang-rt-14-dev golang-go wget netcat-openbsd nginx-light tshark iproute2 iputils-ping"
test="$test util-linux procps binutils scdoc radvd dnsmasq-base udhcpc bind9-dnsutils swaks msmtp"
e2e="$test"

# As root: install the packages named, without starting any service they bring.
install_now() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends install "$@"
}

case ${1:-build} in
build) want=$build ;;
install) want=$install ;;
demo) want=$demo ;;
test) want=$test ;;
e2e) want=$e2e ;;
--install)
	shift
	install_now "$@"
	exit
	;;
*)
	echo "usage: $0 [build|install|demo|test|e2e]" >&2
	exit 2
	;;
esac

missing=
for package in $want; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "setup: missing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then
	echo "setup: installing them with apt-get"
	# shellcheck disable=SC2086
	exec sh "$0" --install $missing
fi
if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
	echo "setup: installing them with apt-get through sudo"
	# shellcheck disable=SC2086
	exec sudo sh "$0" --install $missing
fi
echo "setup: neither root nor sudo here; run this as root, then repeat:"
echo "  apt-get update && apt-get -y --no-install-recommends install$missing"
exit 1
