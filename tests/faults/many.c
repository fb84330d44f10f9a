/* Holds many network namespaces: one child each, which sleeps there until this process ends. Prints "ready" when all are there.
 * Apart from the tests because a fork that only changes its namespace costs a hundredth of starting a tool. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;
	int done[2];
	if (pipe(done))
		return 1;
	for (int i = 0; i < count; i++) {
		pid_t child = fork();
		if (child < 0)
			return 1;
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			char said = unshare(CLONE_NEWNET) ? 'n' : 'y';
			if (write(done[1], &said, 1) != 1 || said == 'n')
				_exit(1);
			close(done[0]);
			close(done[1]);
			for (;;)
				pause();
		}
	}
	for (int i = 0; i < count; i++) {
		char said;
		if (read(done[0], &said, 1) != 1 || said != 'y')
			return 1;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
