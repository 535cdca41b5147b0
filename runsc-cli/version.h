/* version.h - what --version says.  The second is the newest runtime specification that is read. */
#pragma once

#define CSANDBOX_VERSION "0.1.0"
#define CSANDBOX_OCI_VERSION "1.1.0"
