// SPDX-License-Identifier: Apache-2.0
#include "xml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <expat.h>

enum { TEXT_MAX = 4096, DEPTH_MAX = 64, PIECE = 1 << 20 };

struct reader {
	const struct xml_handler *handler;
	const char *name;
	struct error *error;
	XML_Parser parser;
	int depth, err;
	size_t size; /* of text */
	char text[TEXT_MAX];
};

static void stop(struct reader *reader, int err)
{
	reader->err = err;
	XML_StopParser(reader->parser, XML_FALSE);
}

static void start(void *arg, const XML_Char *element, const XML_Char **attributes)
{
	struct reader *reader = arg;

	reader->size = 0;
	reader->depth++;
	if (reader->depth > DEPTH_MAX)
		stop(reader, error_set(reader->error, -EBADMSG,
				       "cannot read %s: it is nested too deeply: tell who runs "
				       "the archive",
				       reader->name));
	else
		reader->handler->start(reader->handler->arg, reader->depth, element, attributes);
}

static void end(void *arg, const XML_Char *element)
{
	struct reader *reader = arg;
	int err;

	if (reader->err)
		return;
	reader->text[reader->size] = 0;
	err = reader->handler->end(reader->handler->arg, reader->depth, element, reader->text,
				   reader->error);
	reader->size = 0;
	reader->depth--;
	if (err)
		stop(reader, err);
}

static void text(void *arg, const XML_Char *data, int size)
{
	struct reader *reader = arg;
	size_t room = TEXT_MAX - 1 - reader->size;
	size_t n = (size_t)size < room ? (size_t)size : room;

	memcpy(reader->text + reader->size, data, n);
	reader->size += n;
}

static void doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
		    int internal)
{
	struct reader *reader = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(reader, error_set(reader->error, -EBADMSG,
			       "cannot read %s: it has a document type, as no index has: tell who "
			       "runs the archive",
			       reader->name));
}

static int parse(struct reader *reader, const char *data, size_t size, bool last)
{
	if (XML_Parse(reader->parser, data, (int)size, last) == XML_STATUS_OK)
		return 0;
	if (!reader->err)
		reader->err = error_set(reader->error, -EBADMSG,
					"cannot read %s: line %lu: %s: tell who runs the archive",
					reader->name,
					(unsigned long)XML_GetCurrentLineNumber(reader->parser),
					XML_ErrorString(XML_GetErrorCode(reader->parser)));
	return reader->err;
}

static int parse_all(struct reader *reader, struct source *source)
{
	const void *block;
	ssize_t n;

	while ((n = source->next(source, &block, reader->error)) > 0) {
		const char *data = block;
		size_t left = (size_t)n;

		while (left) {
			size_t piece = left < PIECE ? left : PIECE;
			int err = parse(reader, data, piece, false);

			if (err)
				return err;
			data += piece;
			left -= piece;
		}
	}
	return n < 0 ? (int)n : parse(reader, "", 0, true);
}

int xml_read(struct source *source, const struct xml_handler *handler, struct error *error)
{
	struct reader reader = {.handler = handler,
				.name = source->name,
				.error = error,
				.parser = XML_ParserCreate(NULL)};
	int err;

	if (!reader.parser)
		return error_set(error, -ENOMEM, "cannot read %s: no memory: free some",
				 source->name);
	XML_SetUserData(reader.parser, &reader);
	XML_SetElementHandler(reader.parser, start, end);
	XML_SetCharacterDataHandler(reader.parser, text);
	XML_SetStartDoctypeDeclHandler(reader.parser, doctype);
	err = parse_all(&reader, source);
	XML_ParserFree(reader.parser);
	return err;
}

const char *xml_attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2) {
		if (!strcmp(attributes[0], name))
			return attributes[1];
	}
	return "";
}
