// SPDX-License-Identifier: MIT
/*
 * The kernel module, for enable, disable and status. In: sysfs, its control device (include/uapi/linux/dragoman.h). Out: guests
 * switched, runtimes registered.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "module.h"
#include "uapi/linux/dragoman.h"

#define CTL_NODE	"/dev/dragoman-ctl"

bool module_loaded(void)
{
	return !access(MODULE_DIR, F_OK);
}

long long module_number(const char *name)
{
	char path[PATH_MAX], text[32];
	long long n = -1;

	snprintf(path, sizeof(path), MODULE_DIR "/%s", name);
	if (cli_read_file(path, text, sizeof(text)) > 0 && sscanf(text, "%lld", &n) != 1)
		n = -1;
	return n;
}

static long long guest_number(const struct cli_guest *g, const char *what)
{
	char name[128];

	snprintf(name, sizeof(name), "guest-%s/%s", g->name, what);
	return module_number(name);
}

bool module_has(const struct cli_guest *g)
{
	return guest_number(g, "enabled") >= 0;
}

static void first_line(const char *path, char *text, size_t max)
{
	long n = cli_read_file(path, text, max);

	text[n > 0 ? strcspn(text, "\n") : 0] = 0;
}

void module_version(char *text, size_t max)
{
	first_line("/sys/module/dragoman/version", text, max);
}

void module_abi(char *text, size_t max)
{
	first_line(MODULE_DIR "/abi", text, max);
}

/* Handlers of modules that are loaded later come first; what is built in was there before. The list begins with the newest. */
bool module_behind_binfmt(void)
{
	char *line = NULL;
	size_t room = 0;
	bool behind = false;
	FILE *f = fopen("/proc/modules", "re");

	if (!f)
		return false;
	while (getline(&line, &room, f) > 0 && strncmp(line, "dragoman ", 9))
		behind |= !strncmp(line, "binfmt_misc ", 12);
	free(line);
	fclose(f);
	return behind;
}

int module_switch(const struct cli_guest *g, bool on)
{
	char path[PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof(path), MODULE_DIR "/guest-%s/enabled", g->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, on ? "1\n" : "0\n", 2) != 2)
		err = -errno;
	close(fd);
	return err;
}

static int control(void)
{
	struct dragoman_ctl_hello h = {
		.size = sizeof(h), .abi_major = DRAGOMAN_ABI_MAJOR, .abi_minor = DRAGOMAN_ABI_MINOR, .role = DRAGOMAN_ROLE_ADMIN,
	};
	int fd = open(CTL_NODE, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, DRAGOMAN_IOC_CTL_HELLO, &h))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int module_set_runtime(const struct cli_guest *g, const char *runtime)
{
	struct dragoman_set_runtime r = {
		.size = sizeof(r), .flags = runtime ? DRAGOMAN_RUNTIME_CREDENTIALS : 0, .machine = g->machine,
		.elf_class = ELFCLASS64, .elf_data = ELFDATA2LSB, .fd = -1,
	};
	int ctl = control(), err = 0;

	if (ctl < 0)
		return ctl;
	if (runtime) {
		r.fd = open(runtime, O_RDONLY | O_CLOEXEC);
		err = r.fd < 0 ? -errno : 0;
	}
	if (!err && ioctl(ctl, DRAGOMAN_IOC_SET_RUNTIME, &r))
		err = -errno;
	if (r.fd >= 0)
		close(r.fd);
	close(ctl);
	return err;
}

/* Is there such a file where systemd looks for its like? */
static bool configured(const char *name)
{
	static const char *const folders[] = { "/etc", "/usr/local/lib", "/usr/lib", "/lib" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

bool module_persistent(void)
{
	return configured("modules-load.d/dragoman.conf");
}

bool module_starts_server(void)
{
	return configured("udev/rules.d/70-dragoman.rules");
}

int module_persist(void)
{
	return module_persistent() ? 0 : cli_write_file(MODULE_LOAD, "# written by `dragoman enable --persist`\ndragoman\n");
}

int module_unpersist(void)
{
	char text[256];

	if (cli_read_file(MODULE_LOAD, text, sizeof(text)) < 0 || !strstr(text, "dragoman enable"))
		return 0;
	return unlink(MODULE_LOAD) ? -errno : 0;
}
