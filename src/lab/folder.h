/* lab/folder.h - a folder of the machine as struct serve_files. Nothing outside the folder is reachable (no "..", no
 * symbolic link that leads out).
 *
 * A file is read whole when it is opened: what is under way stays as it was, whoever cuts or overwrites the file meanwhile
 * (a mapping would kill the process with SIGBUS). Those who have an unchanged file open share one copy. Limits: reading
 * blocks the caller; copies hold at most FOLDER_COPIES_MAX bytes, beyond it opening fails with -ENOMEM. */
#ifndef LAB_FOLDER_H
#define LAB_FOLDER_H

#include "serve/files.h"

#define FOLDER_COPIES_MAX (UINT64_C(4) << 30)

/* Fills *out. 0 or -errno. */
int folder_open(const char *root, struct serve_files *out);
void folder_close(struct serve_files *f);

#endif
