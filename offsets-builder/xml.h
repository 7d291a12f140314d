/* SPDX-License-Identifier: Apache-2.0 */
/* XML, as it comes: no tree, and no document type, so no entities that could grow. */
#ifndef BUILDER_XML_H
#define BUILDER_XML_H

#include "error.h"
#include "source.h"

struct xml_handler {
	/* The root's depth is 1. attributes: name, value, ..., NULL. */
	void (*start)(void *arg, int depth, const char *element, const char **attributes);
	/*
	 * text: since the last tag, cut after some thousand bytes. A negative errno, with
	 * error set, ends the reading.
	 */
	int (*end)(void *arg, int depth, const char *element, const char *text,
		   struct error *error);
	void *arg;
};

/* Returns 0, the source's or a handler's negative errno, or -EBADMSG. */
int xml_read(struct source *source, const struct xml_handler *handler, struct error *error);

/* An attribute's value, "" if it is not there. */
const char *xml_attribute(const char **attributes, const char *name);

#endif
