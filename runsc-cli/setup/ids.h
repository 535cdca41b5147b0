/*
 * ids.h - the user namespace that a container asks for: which ids its files have on the host.
 *
 * The gofer serves the files from inside such a namespace, so that the host's kernel translates every id and
 * root of the container owns nothing that is not mapped.  The guest's own kernel needs nothing of it: it only shows the map.
 */
#pragma once
#include <sys/types.h>
#include "runsc-cli/cli.h"
#include "runsc-cli/oci/spec.h"

struct boot_config;

struct ids { int ns_fd; };      /* the namespace, or -1: ids are the host's */

/* What linux.namespaces and the mappings ask for. */
int ids_resolve(struct cli *cli, const struct oci_spec *s, struct ids *ret) must_check;
/* A user namespace with these maps, with nobody in it: its descriptor. @what is named in errors. */
int ids_make(struct cli *cli, const char *what, const struct oci_idmaps *m) must_check;
/* In the gofer, whose mounts are its own: into the namespace, as root there. @ret_what: what failed. */
int ids_enter(const struct ids *ids, const char **ret_what) must_check;
/* What /proc/self/uid_map shows inside: the gofer's. */
void ids_shown(pid_t gofer, struct boot_config *b);
