/*
 * state_file.h - state.json: what later commands must know of a container.
 */
#pragma once
#include "runsc-cli/container.h"

/* Written to a new file and renamed: readers see the old one or the new one. */
int state_save(struct container *c, struct err *err) must_check;
int state_load(struct container *c, struct err *err) must_check;
