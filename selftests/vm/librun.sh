# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Builds the initramfs of a virtual machine, boots it, judges what comes back; sourced by run. In: $series,
# $release, $vmlinuz, $kmods, $module (libkernel.sh), $suites. Out: KTAP lines with the kernel's name in front.

vmdir=$BUILD/vm

# vm_programs: builds the kselftests, once for all kernels, into $vmdir/kselftest.
vm_programs() {
	kselftest_tree || return 1
	make -s -C selftests KSFT="$KSFT" OUT="$(realpath -m "$vmdir/ksft")" INSTALL_PATH="$(realpath -m "$vmdir/kselftest")" \
		STATIC=1 install >"$vmdir/kselftest.log" 2>&1 || { why="the kselftests do not build, see $vmdir/kselftest.log"; return 1; }
}

# vm_root FOLDER: what every machine has. Programs that are not built (yet) are left out; tests that need them skip.
vm_root() {
	local root=$1 f
	rm -rf "$root"
	mkdir -p "$root"/{bin,proc,sys,dev,modules,guest,usr/bin,usr/libexec/dragoman,etc}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for f in $("$root/bin/busybox" --list); do
		# kselftest's runner calls timeout with an option that busybox does not know; it does without one.
		[ "$f" = timeout ] || [ "$f" = busybox ] || ln -sf busybox "$root/bin/$f"
	done
	ln -sf /bin/busybox "$root/usr/bin/env"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
	install -m 755 selftests/vm/init "$root/init"
	cp -r "$vmdir/kselftest" "$root/"
	cp "$module" "$root/dragoman.ko"
	find "$kmods" -name '*.ko' -exec cp {} "$root/modules/" \; 2>/dev/null
	[ -e "$BUILD/dragoman-rt" ] && cp "$BUILD/dragoman-rt" "$root/usr/libexec/dragoman/"
	grep -rqs DRAGOMAN_IOC_HELLO user/runtime || touch "$root/usr/libexec/dragoman/dragoman-rt.unaware"
	for f in dragoman dragomand dragoman-bpf; do
		[ -e "$BUILD/$f" ] && vm_program "$BUILD/$f" "$root"
	done
	vm_guests "$root"
	return 0
}

# vm_program FILE ROOT: with the libraries that it asks for.
vm_program() {
	local lib
	cp "$1" "$2/usr/bin/"
	for lib in $(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+'); do
		mkdir -p "$2$(dirname "$lib")"
		cp -Ln "$lib" "$2$lib"
	done
}

# vm_guests ROOT: static arm64 programs in /guest.
vm_guests() {
	local f
	for f in "$BUILD"/guest/*; do
		[[ -x $f && -f $f ]] && cp "$f" "$1/guest/"
	done
	f=$cache/busybox-arm64/bin/busybox
	[ -e "$f" ] || arm64_busybox
	[ -e "$f" ] && cp "$f" "$1/guest/busybox"
	return 0
}

# arm64_busybox: Debian's static one, through a private apt folder that knows arm64.
arm64_busybox() {
	local dir mirror
	dir=$(realpath -m "$cache")/apt-arm64
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | head -n 1)
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	echo "deb [arch=arm64] ${mirror% *} ${mirror#* } main" >"$dir/sources.list"
	(cd "$dir" && set -- -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::sourcelist="$dir/sources.list" -o APT::Architectures::=arm64 -o APT::Sandbox::User=root &&
		apt-get "$@" update -qq && apt-get "$@" download -qq busybox-static:arm64 &&
		dpkg-deb -x busybox-static_*_arm64.deb ../busybox-arm64) >"$cache/apt-arm64.log" 2>&1
}

# The lines of the log that no test may cause. Stalls and soft lockups are switched off at boot: a loaded host makes those in an
# emulated machine; a real one ends in the time limit.
bad_lines='BUG:|BUG at|kernel BUG|WARNING:|Oops|general protection fault|Call Trace|possible recursive locking|possible circular locking|inconsistent lock state|suspicious RCU|KASAN|UBSAN|unreferenced object|refcount_t|bad page state|Bad rss-counter|Kernel panic|double free|list_(add|del) corruption|sleeping function called|held lock|still in use|Objects remaining'

# Two runs at a time (a developer's and make check's) share what is built, and nothing else.
vm_lock() { exec 9>"$vmdir/lock" && flock 9; }
vm_unlock() { flock -u 9; }

boot() {
	local dir=$1 accel=tcg,thread=multi
	[ -w /dev/kvm ] && grep -qE 'vmx|svm' /proc/cpuinfo && accel=kvm
	timeout -k 10 "$vm_limit" qemu-system-x86_64 -accel $accel -cpu max -m "${vm_memory:-1G}" -smp 2 -display none -no-reboot \
		-kernel "$vmlinuz" -initrd "$dir/initrd" -serial "file:$dir/console" -serial "file:$dir/ktap" -monitor none -d cpu_reset -D "$dir/qemu-debug" \
		-append "console=ttyS0 loglevel=6 panic=-1 oops=panic no_timer_check rcupdate.rcu_cpu_stall_suppress=1 nowatchdog ${vm_append:-}" </dev/null >"$dir/qemu.log" 2>&1
}

# vm_run: one machine with $suites. Prints KTAP lines.
vm_run() {
	local dir=$vmdir/run/.$$ status
	rm -rf "$dir" && mkdir -p "$dir"
	vm_root "$dir/root"
	printf 'suites="%s"\nout=%s\ncycles=%s\nparams="%s"\nenv="%s"\nkunit=%s\nend=%s\n' "$suites" "${vm_out:-/dev/ttyS1}" "${VM_CYCLES:-20}" \
		"${vm_params:-}" "${VM_ENV:-}" "${vm_kunit:-}" "$([ -n "${linux:-}" ] && echo poweroff || echo reboot)" >"$dir/root/vm.conf"
	(cd "$dir/root" && find . | cpio -o -H newc -R 0:0 --quiet >"../initrd")
	rm -rf "$dir/root"
	vm_unlock
	if [ -n "${linux:-}" ]; then uml_boot "$dir" 9>&-; else boot "$dir" 9>&-; fi
	status=$?
	rm -f "$dir/initrd"
	sed -i 's/\r//g' "$dir/console" "$dir/ktap" 2>/dev/null
	vm_judge "$dir" $status
	rm -rf "$vmdir/run/$release"
	mv "$dir" "$vmdir/run/$release"
}

# emit RESULT NAME: a KTAP line of our own.
emit() {
	vm_n=$((${vm_n:-0} + 1))
	[ "$1" = ok ] || vm_bad=$((${vm_bad:-0} + 1))
	echo "$1 $vm_n $2"
}

# vm_judge FOLDER STATUS: each result inside the machine is one here; then the machine's own end and its log.
vm_judge() {
	local dir=$1 line prog= reason= from=
	while IFS= read -r line; do
		case $line in
		'# selftests: '*) prog=${line#\# selftests: } reason= ;;
		'# 1..0 # SKIP '*) reason=${line#*SKIP} ;;
		'vm: ok '* | 'vm: not ok '*)
			line=${line#vm: }
			emit "${line%% [0-9]*}" "$release: $(sed -E 's/^(not )?ok [0-9]+ *//' <<<"$line")" ;;
		'# ok '* | '# not ok '*)
			line=${line#\# }
			emit "${line%% [0-9]*}" "$release: $prog: $(sed -E 's/^(not )?ok [0-9]+ *(- )?//' <<<"$line")" ;;
		'ok '*'selftests: '*'# SKIP'*)
			[ -n "$reason" ] && emit ok "$release: ${line#*selftests: }$reason" ;;
		'not ok '*'selftests: '*)
			emit "not ok" "$release: ${line#*selftests: }" ;;
		'# '*) [[ $line =~ [Ee]xpected|assert|FAIL|\.c: ]] && echo "$line" ;;
		esac
	done <"$dir/ktap"
	if grep -q '^vm: end' "$dir/ktap"; then
		emit ok "$release: the machine came to its end"
	else
		emit "not ok" "$release: the machine came to its end (qemu: status $2)"
		tail -n 5 "$dir/ktap" | sed 's/^/# ktap: /'
		tail -n 15 "$dir/console" | sed 's/^/# console: /'
	fi
	# What the kernel said before anything of ours was there is its own affair; a machine that died then has no mark.
	grep -aq 'dragoman-vm: begins' "$dir/console" && from='/dragoman-vm: begins/,$p'
	if sed -n "${from:-p}" "$dir/console" | grep -aqE "$bad_lines"; then
		emit "not ok" "$release: nothing bad in the kernel's log"
		sed -n "${from:-p}" "$dir/console" | grep -aE -A 12 "$bad_lines" | head -n 60 | sed 's/^/# /'
	else
		emit ok "$release: nothing bad in the kernel's log"
	fi
}
