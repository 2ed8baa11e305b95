"""The templates of `reviews` that need reading: what decides is negation, contrast, concession, …

Nearly every template serves both classes, so that "but", "although" or "not" says nothing by itself,
and the same praise stands before "but" in one class and after it in the other.
"""

from __future__ import annotations

from advlab.data.grammar import Kind

KINDS = (
    Kind(
        "agreeing",
        480,
        (
            "{clause}, and {clause}.",
            "{clause} and {clause}.",
            "{both}, and {clause}.",
            "{clause}, {clause} and {clause}.",
            "{clause}. {verdict}.",
            "{verdict}: {clause} and {clause}.",
            "a {great} {thing} with {np} and {np}.",
            "a {great} {thing}: {clause}, and {clause}.",
            "what a {great} {thing}! {clause}, and {verdict}.",
            "{scene}. {clause}, {clause}, and {verdict}.",
            "{opener} this is a {great} {thing}. {both}.",
            "thanks to {the_np} and {the_np}, it was a {great} {thing}.",
            "{clause}, {clause}, and {verdict}.",
            "{scene}. {opener} {both}, and {clause}.",
            "{verdict}.",
        ),
    ),
    Kind(
        "intensifier",
        120,
        (
            "{aspect} {was} {intense}. {verdict}.",
            "{aspect} {was} {intense}. {aspect} {was} {intense}.",
            "it was a truly {great} {thing}, with {np}.",
            "such a {great} {thing}! {aspect} {was} {intense}.",
            "{aspect} {was} {intense}, and {aspect} {was} {intense}.",
        ),
    ),
    Kind(
        "negation",
        800,
        (
            "{negated}.",
            "{negated}, and {negated}.",
            "{negated}, and {clause}.",
            "{negated}, {clause}, and {verdict}.",
            "{scene}. {negated}, and {clause}.",
            "{negated}. {verdict}.",
            "{verdict}: {negated}, and {clause}.",
            "{aspect} {was} not {!clear} but {adj}, and {verdict}.",
            "{opener} {negated}: {it} {was} {adj}.",
            "this {thing} is far from {!great}: {clause}, and {clause}.",
            "this was not a {!great} {thing} at all: {clause}.",
            "{kept}, and {clause}.",
        ),
    ),
    Kind(
        "contrast",
        840,
        (
            "{!clause}, but {clause}.",
            "{!clause}, but {clause}.",
            "{!clause}, but {verdict}.",
            "{!clause}, but {clause} and {clause}.",
            "{!clause} and {!clause}, but {clause}.",
            "{!clause} and {!clause}, but {verdict}.",
            "{scene}. {!clause}, but {clause}.",
            "{opener} {!clause}, but {clause}.",
            "{!clause}. Still, {clause}.",
            "yes, {!clause}, but {clause}, and {verdict}.",
        ),
    ),
    Kind(
        "concession",
        600,
        (
            "although {!clause}, {clause}.",
            "although {!clause}, {clause}.",
            "although {!clause}, {verdict}.",
            "even though {!clause}, {clause} and {clause}.",
            "even though {!clause}, {clause}.",
            "despite {the_np_other}, {clause}.",
            "despite {the_np_other}, {verdict}.",
            "{verdict}, despite {the_np_other}.",
            "{verdict}, although {!clause}.",
            "{clause}, and {verdict}, although {!clause}.",
        ),
    ),
    Kind(
        "expectation",
        180,
        (
            "I expected {np_other} and got {np}.",
            "I expected {aspect} to be {!adj}; instead {it} {was} {adj}.",
            "I was told that {aspect} would be {!adj}, yet {it} {was} {adj}.",
            "I was told that {aspect} would be {adj}, and {it} {was} {adj}.",
            "just as I expected, {aspect} {was} {adj}.",
            "instead of the {!great} {thing} I expected, I found a {great} one.",
            "I expected a {!great} {thing}; instead, {clause}.",
        ),
    ),
    Kind(
        "comparison",
        200,
        (
            "the last {thing} we {used} was {!great}; this one is {great}.",
            "unlike the {!great} {thing} we {used} last year, this one is {great}: {clause}.",
            "{aspect} {was} not as {!mild} as {they} had said, and {verdict}.",
            "{aspect} {was} every bit as {mild} as {they} had said, and {verdict}.",
            "{aspect} {was} nowhere near as {!mild} as last time, and {clause}.",
        ),
    ),
    Kind(
        "turn",
        120,
        (
            "{they} told me that {aspect} {was} {!clear}, and that is wrong: {it} {was} {adj}.",
            "{they} told me that {aspect} {was} {adj}, and that is right.",
            "{aspect} used to be {!adj}; now {it} {is} {adj}.",
            "{aspect} {was} {!adj} at first and {adj} in the end.",
            "what began as a {!great} {thing} ended as a {great} one.",
        ),
    ),
)
