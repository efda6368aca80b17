/* lab/maildir.h - a folder of Maildirs as struct serve_mail: FOLDER/MAILBOX/{tmp,new,cur}, made when the first mail comes.
 *
 * A message is written to tmp/ under a name of its own, and gets its place in new/ by rename, when it is whole and on the disk
 * (fsync of the file, then of the folders): a reader sees all of it or nothing. Several mailboxes share one file by links.
 * In a mailbox's folder name every octet but small letters, digits and "_-+=", and dots within, stands as %XX, so none leaves
 * the folder. Limits: writing and fsync block the caller. */
#ifndef LAB_MAILDIR_H
#define LAB_MAILDIR_H

#include "serve/mail.h"

/* root: copied. host: the name in file names, copied. Nothing is made or looked at yet. 0 or -errno. */
int maildir_open(const char *root, const char *host, struct serve_mail *out);
void maildir_close(struct serve_mail *m);

#endif
