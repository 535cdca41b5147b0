/*
 * shed.h - give back the memory that only the start of this process needed.
 *
 * Code and constants are dropped from the page tables and come back from the page cache where they are
 * used again; so are pages of the stack below the caller and of libc's heap that are free.  For the
 * thread that the process began with.
 */
#pragma once

void host_shed(void);
