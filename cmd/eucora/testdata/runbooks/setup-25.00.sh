#!/bin/sh
echo 25.00
