/* wire.c - see wire.h.  The sizes are fixed here so that a new field can't creep into a hole. */
#include "gofer/proto/wire.h"
#include <string.h>

_Static_assert(sizeof(struct gw_hdr) == 16, "gw_hdr");
_Static_assert(sizeof(struct gw_attr) == 96, "gw_attr");
_Static_assert(sizeof(struct gw_node) == 112, "gw_node");
_Static_assert(sizeof(struct gw_walk_req) == 8, "gw_walk_req");
_Static_assert(sizeof(struct gw_attr_rep) == 104, "gw_attr_rep");
_Static_assert(sizeof(struct gw_setattr_req) == 48, "gw_setattr_req");
_Static_assert(sizeof(struct gw_readdir_rep) == 16, "gw_readdir_rep");
_Static_assert(sizeof(struct gw_dirent) == 16, "gw_dirent");
_Static_assert(sizeof(struct gw_make_req) == 32, "gw_make_req");
_Static_assert(sizeof(struct gw_rename_req) == 16, "gw_rename_req");
_Static_assert(sizeof(struct gw_xattr_req) == 16, "gw_xattr_req");
_Static_assert(sizeof(struct gw_statfs_rep) == 80, "gw_statfs_rep");
_Static_assert(sizeof(struct gw_fallocate_req) == 24, "gw_fallocate_req");
_Static_assert(sizeof(struct gw_event) == 24, "gw_event");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");

bool gw_name_ok(const char *name, size_t len)
{
	if (len == 0 || len > GW_NAME_MAX || memchr(name, '/', len) || memchr(name, '\0', len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}
