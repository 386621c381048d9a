// SPDX-License-Identifier: MIT
/* Gravitation of five bodies: scalar double arithmetic, square root and division. */
#include <math.h>

#include "kernel.h"

#define BODIES 5

static struct { double x[3], v[3], mass; } body[BODIES];

static void advance(double dt)
{
	for (int i = 0; i < BODIES; i++) {
		for (int j = i + 1; j < BODIES; j++) {
			double d[3], square = 0, factor;

			for (int k = 0; k < 3; k++) {
				d[k] = body[i].x[k] - body[j].x[k];
				square += d[k] * d[k];
			}
			factor = dt / (square * sqrt(square));
			for (int k = 0; k < 3; k++) {
				body[i].v[k] -= d[k] * body[j].mass * factor;
				body[j].v[k] += d[k] * body[i].mass * factor;
			}
		}
	}
	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++)
			body[i].x[k] += dt * body[i].v[k];
}

void kernel(long n)
{
	for (int i = 0; i < BODIES; i++) {
		double r = 1 + 3.0 * i * i, v = i ? 6.28 / sqrt(r) : 0;

		body[i].x[0] = i & 1 ? r : -r * (i > 0);
		body[i].x[1] = 0.1 * i;
		body[i].x[2] = -0.02 * i;
		body[i].v[1] = i & 1 ? v : -v;
		body[i].mass = i ? 0.001 : 39.5;
	}
	while (n--)
		advance(0.0001);
	for (int i = 0; i < BODIES; i++)
		value(body[i].x[0]), value(body[i].v[1]);
}
