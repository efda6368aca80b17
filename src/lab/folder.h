/* lab/folder.h - a folder of the machine as struct serve_files: files are mapped read-only, and nothing outside the folder
 * is reachable (no "..", no symbolic link that leads out). A file that is cut while it is served is the owner's mistake. */
#ifndef LAB_FOLDER_H
#define LAB_FOLDER_H

#include "serve/files.h"

/* Fills *out. 0 or -errno. */
int folder_open(const char *root, struct serve_files *out);
void folder_close(struct serve_files *f);

#endif
