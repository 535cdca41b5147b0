/*
 * preserve.h - descriptors 3, 4, ... that the caller gave us for the guest's process.
 */
#pragma once
#include "runsc-cli/cli.h"

/*
 * --preserve-fds: the numbers 3 to 2 + @n into ret[]. Each must have been inherited, and be no directory: the sandbox gets none.
 */
int preserved_fds(struct cli *cli, u32 n, int *ret) must_check;
/* sd_listen_fds(3): how many we were started with, 0 if none are for us. */
u32 listen_fds(void);
