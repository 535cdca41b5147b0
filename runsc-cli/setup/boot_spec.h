/*
 * boot_spec.h - config.json as what the sentry needs.
 */
#pragma once
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/roots.h"
#include "sentry/boot/boot.h"

/* The process part; pointers into @p. */
void process_to_ctl(const struct oci_process *p, struct ctl_process *ret);
/* Everything but the descriptors.  Pointers into @s, or allocated from its pool. */
int spec_to_boot(struct cli *cli, struct oci_spec *s, const struct roots *roots, struct ctl_process *proc,
                 struct boot_config *ret) must_check;
