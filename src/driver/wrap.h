/* driver/wrap.h - drivers around a driver, for tests: fault (loses, duplicates, reorders by seed), narrow (room for n packets). */
#ifndef DRIVER_WRAP_H
#define DRIVER_WRAP_H
#include <viaduct/driver.h>
struct wrap_fault { uint32_t loss_ppb, dup_ppb, reorder_ppb, corrupt_ppb; uint64_t seed; };
struct via_driver *wrap_fault_new(struct via_driver *inner, const struct wrap_fault *f); /* borrows inner */
struct via_driver *wrap_narrow_new(struct via_driver *inner, int room);
void wrap_free(struct via_driver *d);
#endif
