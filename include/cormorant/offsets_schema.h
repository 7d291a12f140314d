/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What data/offsets.sql writes into the head of an offsets database, for the programs
 * that read one. The two files change together; a unit test compares them.
 */
#ifndef CORMORANT_OFFSETS_SCHEMA_H
#define CORMORANT_OFFSETS_SCHEMA_H

/* PRAGMA application_id: "CORM". Any other number is somebody else's database. */
#define OFFSETS_APPLICATION_ID 0x434f524d

/*
 * PRAGMA user_version. A higher number means that a program which knows only this one
 * would read it wrongly; columns and tables that may be ignored are added without.
 */
#define OFFSETS_SCHEMA_VERSION 2

/* The oldest that is read as it is: 1 did not say what a kernel was found to lack. */
#define OFFSETS_SCHEMA_OLDEST 1

#endif
