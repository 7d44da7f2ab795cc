/* run_wish: what `ember run` asks for, from its command line: kind of program, StartJobRun's input. Pure. */
#pragma once
#include "base/json.h"
#include "cli/command.h"

enum program_kind { PROGRAM_PYTHON, PROGRAM_JAR, PROGRAM_SQL };

/* By the end of its name; false: of neither. */
bool program_kind_of(struct slice file, enum program_kind *ret_kind);
/* "s3://…", "local://…": not of this machine. */
bool program_is_remote(struct slice file);
/* Its name without folders and ending, with other characters than the API's names have as '-'; at most 64 bytes. */
struct slice program_name(struct arena *arena, struct slice file);
/* The bytes as one word of a Bourne shell's command line, quoted where it must be. */
void append_shell_word(struct strbuf *out, struct slice word);
struct run_wish {
    struct slice entry_point, name, role, release, client_token, log_group;
    enum program_kind kind;
    int64_t executors;
};
/* StartJobRun's input; --class, --conf and the words behind -- come from command. ERR_INVALID: what does not go
 * together. */
struct err *run_wish_to_json(const struct command *command, const struct run_wish *wish,
                             struct json **ret_input) NODISCARD;
