/* spark: the door of this folder for jobs/ and services/: a job run's wish -> what to send to Kubernetes. Pure, no I/O. */
#pragma once
#include "spark/conf.h"
#include "spark/emr.h"
#include "spark/plan.h"
#include "spark/release.h"
