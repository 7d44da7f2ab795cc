/* job_template: templates with ${Name}s and what becomes of them when a job run starts. Source: EMR on EKS guide, "Using job templates"
 * and "Defining job template parameters".
 *
 * A parameter is ${Name} anywhere in a value of jobTemplateData, Name of [A-Za-z0-9._#-]; ${…} of another form is left as it is.
 * parameterConfiguration says its type (STRING unless it says NUMBER) and its default; one without a default must be given. Values that
 * were put in are not looked through again. */
#pragma once
#include "services/emr_containers/resource.h"

struct json;

/* What CreateJobTemplate checks beyond the model: exactly one driver, defaults of their type. ValidationException. */
struct err *job_template_check(struct call *call, const struct emr_containers_job_template_data *data) NODISCARD;
/* *ret_data: the template's data (JSON as it is stored) with parameters put in, without parameterConfiguration. ValidationException names a
 * parameter that is missing, not known, or no number, or says that they make the texts too long; ERR_INTERNAL for a body that is not of our writing. Pure. */
struct err *job_template_fill(struct arena *arena, struct slice body, const struct slice_map *parameters, struct json **ret_data) NODISCARD;
struct err *job_template_find(struct call *call, struct slice id, struct document *ret_row) NODISCARD; /* ResourceNotFoundException */
struct err *job_template_view(struct call *call, const struct document *row, struct emr_containers_job_template *ret_view) NODISCARD;
