package main

import (
	"io"
	"reflect"
	"strings"
	"time"
)

// The output as JSON values: members that are absent are left out, texts that came empty are not. A scalar that the SDK keeps
// without a pointer cannot say that it was absent: zero is left out. Bytes and times as in fill.go, streams read to their end.
func show(v reflect.Value) (any, error) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return map[string]any{"$time": float64(v.Interface().(time.Time).UnixMilli()) / 1000}, nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return show(v.Elem())
	case reflect.Interface:
		return showInterface(v)
	case reflect.Struct:
		return showStruct(v)
	case reflect.Slice:
		if v.IsNil() {
			return nil, nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return map[string]any{"$bytes": v.Bytes()}, nil
		}
		items := make([]any, v.Len())
		for i := range items {
			var err error
			if items[i], err = show(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return items, nil
	case reflect.Map:
		if v.IsNil() {
			return nil, nil
		}
		object := map[string]any{}
		for _, name := range v.MapKeys() {
			value, err := show(v.MapIndex(name))
			if err != nil {
				return nil, err
			}
			object[name.String()] = value
		}
		return object, nil
	default:
		return v.Interface(), nil
	}
}

func showInterface(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	if stream, ok := v.Interface().(io.ReadCloser); ok {
		defer stream.Close()
		data, err := io.ReadAll(stream)
		return map[string]any{"$bytes": data}, err
	}
	member := v.Elem().Elem() // of a union: type ContainerInfoMemberEksInfo struct { Value EksInfo }
	_, name, _ := strings.Cut(member.Type().Name(), "Member")
	value, err := show(member.FieldByName("Value"))
	return map[string]any{name: value}, err
}

func showStruct(v reflect.Value) (any, error) {
	object := map[string]any{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Name == "ResultMetadata" {
			continue
		}
		if k := field.Type.Kind(); k != reflect.Struct && v.Field(i).IsZero() {
			continue
		}
		value, err := show(v.Field(i))
		if err != nil {
			return nil, err
		}
		object[field.Name] = value
	}
	return object, nil
}
