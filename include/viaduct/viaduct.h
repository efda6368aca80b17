/* viaduct/viaduct.h - all of the public face. */
#ifndef VIADUCT_VIADUCT_H
#define VIADUCT_VIADUCT_H
#include <viaduct/driver.h>
#include <viaduct/socket.h>
#include <viaduct/stack.h>
#include <viaduct/types.h>
#endif
