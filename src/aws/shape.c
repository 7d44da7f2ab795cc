/* shape: lookups in the generated tables. */
#include "aws/shape.h"

const struct aws_service *aws_service_find(struct slice signing_name)
{
    for (size_t i = 0; i < aws_service_count; i++)
        if (slice_eq(aws_services[i]->signing_name, signing_name))
            return aws_services[i];
    return NULL;
}

const struct aws_operation *aws_operation_find(const struct aws_service *service, struct slice name)
{
    for (size_t i = 0; i < service->operation_count; i++)
        if (slice_eq(service->operations[i].name, name))
            return &service->operations[i];
    return NULL;
}

const struct aws_error_shape *aws_error_find(const struct aws_service *service, struct slice code)
{
    for (size_t i = 0; i < service->error_count; i++)
        if (slice_eq(service->errors[i].code, code))
            return &service->errors[i];
    return NULL;
}

const struct aws_member *aws_member_find(const struct aws_shape *structure, struct slice name)
{
    for (size_t i = 0; i < structure->member_count; i++)
        if (slice_eq(structure->members[i].name, name))
            return &structure->members[i];
    return NULL;
}
