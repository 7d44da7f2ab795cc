/* The table of ember's commands. Everything that names a command or an option is made from it. */
#include "cli/command.h"

#define JOB_STATES "PENDING SUBMITTED RUNNING COMPLETED FAILED CANCEL_PENDING CANCELLED"
#define VIRTUAL_CLUSTER_OPTION {"--virtual-cluster", 0, "V", "the virtual cluster, by id or name", NULL}

const struct option_def GLOBAL_OPTIONS[] = {
    {"--data-dir", 0, "DIR", "emberd's data directory ($EMBER_DATA_DIR, else ~/.ember)", NULL},
    {"--region", 0, "R", "the region that clients shall use (the daemon's)", NULL},
    {"--output", 0, "FORMAT", "how to print: see the command", NULL},
    {"--help", 'h', NULL, "say how to use ember, or a command", NULL},
    {"--version", 0, NULL, "say which version this is", NULL},
};
const size_t GLOBAL_OPTION_COUNT = ARRAY_SIZE(GLOBAL_OPTIONS);

static const struct option_def JOBS_OPTIONS[] = {
    {"--state", 0, "STATE", "only runs in this state; may be given several times", JOB_STATES},
    {"--name", 0, "NAME", "only runs of this name", NULL},
    VIRTUAL_CLUSTER_OPTION,
    {"--since", 0, "WHEN", "only runs made since then: 90s, 30m, 2h, 7d ago, or a time as 2026-11-21T21:10:00Z", NULL},
    {"--limit", 0, "N", "at most so many runs, the newest (50)", NULL},
    {"--watch", 'w', NULL, "go on, and show changes: redrawn on a terminal, else a line for each", NULL},
};
static const struct option_def SHOW_OPTIONS[] = {
    {"--effective", 0, NULL, "the configuration that it really had, and where each value came from", NULL},
    VIRTUAL_CLUSTER_OPTION,
};
static const struct option_def LOGS_OPTIONS[] = {
    {"--follow", 'f', NULL, "go on until the run has ended", NULL},
    {"--stderr", 0, NULL, "stderr instead of stdout", NULL},
    {"--all", 0, NULL, "stdout and stderr, of driver and executors unless one is named; each line says whose it is", NULL},
    {"--driver", 0, NULL, "of the driver (usual)", NULL},
    {"--executor", 0, "N", "of this executor", NULL},
    VIRTUAL_CLUSTER_OPTION,
};
static const struct option_def EVENTS_OPTIONS[] = {
    {"--follow", 'f', NULL, "go on, and print what happens until Ctrl-C", NULL},
    {"--after", 0, "CURSOR", "only what happened behind this place; now: only what happens from now on", NULL},
};
static const struct option_def RUN_OPTIONS[] = {
    {"--executors", 0, "N", "how many executors (2)", NULL},
    {"--class", 0, "C", "a jar's main class", NULL},
    {"--conf", 0, "K=V", "a property of Spark; may be given several times", NULL},
    {"--name", 0, "NAME", "the run's name (the file's)", NULL},
    VIRTUAL_CLUSTER_OPTION,
    {"--release", 0, "L", "the release label (emr-6.2.0-latest)", NULL},
    {"--role", 0, "ARN", "the execution role (EMRContainers-JobExecutionRole of the account)", NULL},
    {"--log-group", 0, "G", "the log group that the logs go to (ember-run)", NULL},
    {"--create", 0, NULL, "make what is missing: the bucket, and a virtual cluster in the namespace default", NULL},
    {"--detach", 'd', NULL, "start it, print its id and do not wait", NULL},
    {"--on-interrupt", 0, "WHAT", "what Ctrl-C does where nobody can be asked (detach)", "cancel detach"},
};

#define NO_OPTIONS .options = NULL, .option_count = 0
#define OPTIONS(list) .options = (list), .option_count = ARRAY_SIZE(list)

const struct command_def COMMANDS[] = {
    {
        .name = "run",
        .argument = "FILE",
        .about = "upload a program, run it as a job and follow its output",
        .manual = "FILE is a Python program (.py), a jar (.jar) or Spark SQL (.sql), on this machine or as s3:// or local:// address. A file of this "
                  "machine is uploaded once for each content, to the bucket ember-run-ACCOUNT-REGION.\n\n"
                  "The driver's stdout is printed as it comes; until it begins, one line on stderr says what the run waits for. ember ends with the "
                  "job's own exit status: 0 when it is COMPLETED, the driver's exit code when it failed with one, else 1.\n\n"
                  "Ctrl-C asks whether to cancel the run, to leave it alone (detach) or to go on; a second Ctrl-C detaches. Where stdin or stderr is no "
                  "terminal, --on-interrupt decides. The exit status is then 130.\n\n"
                  "Words behind -- are the program's arguments; of SQL, options of spark-sql such as --hivevar day=1.",
        .examples = "ember run my_job.py --executors 4 -- s3://data/in\n"
                    "ember run app.jar --class com.example.Main --conf spark.sql.shuffle.partitions=8\n"
                    "ember run --create --detach report.sql",
        OPTIONS(RUN_OPTIONS),
        .min_args = 1,
        .max_args = 1,
        .rest = "ARGS",
        .run = command_run,
    },
    {
        .name = "jobs",
        .argument = "",
        .about = "list job runs, the newest first",
        .manual = "Lists the job runs of all virtual clusters that are not terminated, or of one. CAUSE says why a run failed, or what it waits for.\n\n"
                  "--output text prints tab-separated lines without a head: id, name, state, virtual cluster's id, made, ended, failure reason, details "
                  "(a \"-\" where there is none). --output json prints {\"jobRuns\": [...]} with runs as ListJobRuns has them.",
        .examples = "ember jobs --state FAILED --since 1d\n"
                    "ember jobs --watch\n"
                    "ember jobs --output json | jq -r '.jobRuns[].id'",
        OPTIONS(JOBS_OPTIONS),
        .formats = "table text json",
        .run = command_jobs,
    },
    {
        .name = "jobs show",
        .argument = "RUN",
        .about = "show all that is known of a job run",
        .manual = "RUN is a job run's id. --output json prints the run as DescribeJobRun has it.\n\n"
                  "--effective prints what its last attempt was launched with, a line a value: first who said so (release-default, "
                  "application-configuration, properties-file, conf-argument, option, system, spark-default), then name=value. Values of secrets are "
                  "hidden. What the program sets on its own SparkSession is not known.",
        .examples = "ember jobs show 000000038g0e6mmqjpf\n"
                    "ember jobs show 000000038g0e6mmqjpf --effective",
        OPTIONS(SHOW_OPTIONS),
        .min_args = 1,
        .max_args = 1,
        .formats = "text json",
        .run = command_jobs_show,
    },
    {
        .name = "logs",
        .argument = "RUN",
        .about = "print the logs of a job run",
        .manual = "Reads them from where the run's monitoring configuration sends them: CloudWatch Logs, else S3. With --follow it goes on until the run has "
                  "ended and its logs are whole, also over a restart of emberd.\n\n"
                  "On a terminal, control bytes of a log are shown as \\xNN; in a pipe or a file they stay as they are.",
        .examples = "ember logs -f 000000038g0e6mmqjpf\n"
                    "ember logs 000000038g0e6mmqjpf --executor 1 --stderr",
        OPTIONS(LOGS_OPTIONS),
        .min_args = 1,
        .max_args = 1,
        .run = command_logs,
    },
    {
        .name = "events",
        .argument = "",
        .about = "print what happened to job runs",
        .manual = "Every change of state of every job run and every new attempt's driver, in the order in which they happened. With --follow it goes on, also "
                  "over a restart of emberd.\n\n"
                  "--output text prints tab-separated lines: time, run, state (or ATTEMPT N), name, details, cursor (a \"-\" where there is none). --output "
                  "json prints a line {\"cursor\": ..., \"event\": ...} for each, with events as EventBridge writes those of EMR on EKS. --after the last "
                  "cursor goes on behind it.",
        .examples = "ember events --follow --after now\n"
                    "ember events --output json | jq -r 'select(.event.detail.state == \"FAILED\") | .event.detail.id'",
        OPTIONS(EVENTS_OPTIONS),
        .formats = "text json",
        .run = command_events,
    },
    {
        .name = "env",
        .argument = "",
        .about = "print exports for a shell: eval \"$(ember env)\"",
        .manual = "Sets what AWS clients of that shell read: endpoint, root key, region.",
        .examples = "eval \"$(ember env)\"",
        NO_OPTIONS,
        .run = command_env,
    },
    {
        .name = "configure",
        .argument = "",
        .about = "write the profile ember to the AWS config files",
        .manual = "Other profiles, comments and settings are kept. Files: $AWS_CONFIG_FILE and $AWS_SHARED_CREDENTIALS_FILE, else in ~/.aws.",
        .examples = "ember configure && aws --profile ember sts get-caller-identity",
        NO_OPTIONS,
        .run = command_configure,
    },
    {
        .name = "kubeconfig",
        .argument = "[CLUSTER]",
        .about = "print the admin's kubeconfig of an embedded cluster (local)",
        .manual = "The admin may do everything in that cluster: keep the file to yourself.",
        .examples = "ember kubeconfig > kubeconfig && kubectl --kubeconfig kubeconfig get pods -A",
        NO_OPTIONS,
        .max_args = 1,
        .run = command_kubeconfig,
    },
    {
        .name = "clusters",
        .argument = "",
        .about = "list the embedded clusters",
        .manual = "One name a line; --output json prints {\"clusters\": [{\"name\": ...}]}.",
        .examples = "ember clusters",
        NO_OPTIONS,
        .formats = "text table json",
        .run = command_clusters,
    },
    {
        .name = "doctor",
        .argument = "",
        .about = "say what this machine has of what Ember needs",
        .manual = "Looks at the machine, the configuration and the data directory, needs no daemon and changes nothing. Exit status 1: something must be put "
                  "right.",
        .examples = "ember doctor --output json",
        NO_OPTIONS,
        .formats = "text json",
        .run = command_doctor,
    },
    {
        .name = "completion",
        .argument = "bash|zsh",
        .about = "print a shell's completion for ember",
        .manual = "It knows commands, options and the values of options.",
        .examples = "source <(ember completion bash)\n"
                    "ember completion zsh > ~/.zfunc/_ember",
        NO_OPTIONS,
        .min_args = 1,
        .max_args = 1,
        .run = command_completion,
    },
    {
        .name = "man",
        .argument = "[COMMAND]",
        .about = "print the manual page of ember or of a command, for man -l -",
        .manual = "The same pages are in docs/man.",
        .examples = "ember man run | man -l -",
        NO_OPTIONS,
        .max_args = 2,
        .run = command_man,
    },
};
const size_t COMMAND_COUNT = ARRAY_SIZE(COMMANDS);

const struct fact STATUSES[] = {
    {"0", "it went well"},
    {"1", "it did not; one sentence on stderr says why"},
    {"2", "the command line is wrong"},
    {"130", "interrupted by Ctrl-C"},
    {"other", "ember run: the exit code of the job's driver"},
};
const size_t STATUS_COUNT = ARRAY_SIZE(STATUSES);

const struct fact ENVIRONMENT[] = {
    {"EMBER_DATA_DIR", "emberd's data directory, when --data-dir does not say"},
    {"AWS_ENDPOINT_URL", "where run, jobs and logs find Ember; without it, and without one in the profile, the data directory says, and whose key to use"},
    {"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_DEFAULT_REGION, AWS_CA_BUNDLE",
     "as the AWS CLI uses them, together with that endpoint"},
    {"NO_COLOR", "when set to anything, no colours; else they are used on terminals only"},
};
const size_t ENVIRONMENT_COUNT = ARRAY_SIZE(ENVIRONMENT);
