/*
 * Lets Debian's user-mode-linux 6.1 run on processors with AMX: run.sh compiles and preloads this.
 *
 * That kernel keeps 2696 bytes of a guest process's extended registers (everything up to PKRU). A host takes back only
 * the whole area, 11008 bytes with AMX, and answers EFAULT to less; the guest's first process then never starts
 * ("ptrace set fp regs failed, errno = 14"). Here the rest of the area is filled with what the process has now.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Static, because the caller may be on a guest kernel's small stack, and that kernel has one thread. */
static char area[64 * 1024] __attribute__((aligned(64)));
static long (*host_ptrace)(int, ...);

__attribute__((constructor)) static void find_host_ptrace(void)
{
	host_ptrace = (long (*)(int, ...))dlsym(RTLD_NEXT, "ptrace");
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	va_start(rest, request);
	long pid = va_arg(rest, long);
	void *address = va_arg(rest, void *);
	void *data = va_arg(rest, void *);
	va_end(rest);

	long answer = host_ptrace(request, pid, address, data);
	if (request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE || answer == 0 || errno != EFAULT)
		return answer;

	struct iovec *given = data;
	struct iovec whole = { .iov_base = area, .iov_len = sizeof area };
	if (host_ptrace(PTRACE_GETREGSET, pid, address, &whole) != 0)
		return -1;
	memcpy(area, given->iov_base, given->iov_len < whole.iov_len ? given->iov_len : whole.iov_len);
	return host_ptrace(PTRACE_SETREGSET, pid, address, &whole);
}
