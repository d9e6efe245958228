package main

import (
	"github.com/spf13/pflag"

	"vouchsafe/config"
)

// settingFlags adds a flag for each setting. Package config reads the values.
func settingFlags(flags *pflag.FlagSet) {
	for _, doc := range config.SettingDocs() {
		value := &settingValue{text: doc.Default, bool: doc.Bool}
		flag := flags.VarPF(value, doc.Flag, "", doc.Description+" ("+doc.Env()+")")
		if doc.Bool {
			flag.NoOptDefVal = "true"
		}
	}
}

// givenFlags returns the setting flags that were written, by name.
func givenFlags(flags *pflag.FlagSet) map[string]string {
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) {
		if _, ok := f.Value.(*settingValue); ok {
			given[f.Name] = f.Value.String()
		}
	})
	return given
}

// settingValue is a setting as it was written.
type settingValue struct {
	text string
	bool bool
}

// Set implements [pflag.Value].
func (v *settingValue) Set(s string) error { v.text = s; return nil }

// String implements [pflag.Value].
func (v *settingValue) String() string { return v.text }

// Type implements [pflag.Value]: the word that help prints for a value.
func (v *settingValue) Type() string {
	if v.bool {
		return "bool"
	}
	return "value"
}
