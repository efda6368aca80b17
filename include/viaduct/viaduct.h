/* viaduct/viaduct.h - all of the public face but posix.h, which brings system headers. */
#ifndef VIADUCT_VIADUCT_H
#define VIADUCT_VIADUCT_H
#include <viaduct/buffer.h>
#include <viaduct/driver.h>
#include <viaduct/filter.h>
#include <viaduct/host.h>
#include <viaduct/socket.h>
#include <viaduct/stack.h>
#include <viaduct/types.h>
#endif
